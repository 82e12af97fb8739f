"""What is done to Chalice's deployment package before it is uploaded: `python -m infra.aws.bundle deployment.zip`.

A function's folder cannot be written to, so without compiled code in the package Python compiles every module at every
cold start, which takes as long as everything else together. The compiled code is that of the Python that makes the
package, which Chalice makes the function's runtime as well; another one would pass over it.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

_OURS = frozenset({"app.py", "chalicelib"})
_COMPILED = _OURS | {"chalice"}  # what every start imports; Powertools only where there is something to log
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same package whenever it is made: what did not change is not deployed again


def finish(package: Path) -> None:
    """Leave out what libraries have besides code, and add compiled code; in place."""
    with tempfile.TemporaryDirectory() as made, zipfile.ZipFile(package) as read:
        folder = Path(made)
        read.extractall(folder, [name for name in read.namelist() if _runs(PurePosixPath(name))])
        _compile(folder)
        found = [path for path in folder.rglob("*") if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as written:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(entry, content)


def _runs(name: PurePosixPath) -> bool:
    """Whether a function may need a file: all that is ours; of libraries the code, the licences and the versions."""
    top = name.parts[0]
    return top in _OURS or top.endswith(".dist-info") or (name.suffix in (".py", ".so") and not top.endswith(".data"))


def _compile(folder: Path) -> None:
    """Compile what every start imports; it holds whatever the time of the sources.

    Another process does it, with a fixed seed, for the order in sets of constants is part of what is written.
    """
    sources = [str(folder / name) for name in sorted(_COMPILED)]
    command = [
        sys.executable,
        "-m",
        "compileall",
        "-q",
        "-f",
        "-s",
        str(folder),
        "--invalidation-mode",
        "unchecked-hash",
    ]
    subprocess.run([*command, *sources], env={"PYTHONHASHSEED": "0"}, check=True)  # noqa: S603  # our own interpreter


if __name__ == "__main__":
    finish(Path(sys.argv[1]))
