"""What is done to Chalice's deployment package before it is uploaded: `python -m infra.aws.bundle deployment.zip`.

A function's folder cannot be written to, so without compiled code in the package Python compiles every module at every
cold start, which takes as long as everything else together. The compiled code is that of the Python that makes the
package, which Chalice makes the function's runtime as well; another one would pass over it.
"""

import importlib.util
import marshal
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_OURS = frozenset({"app.py", "chalicelib"})
_COMPILED = _OURS | {"chalice"}  # what every start imports; Powertools only where there is something to log
_UNCHECKED = (1).to_bytes(4, "little")  # PEP 552: found by a hash of the source, which is not compared
_WITHOUT_REFERENCES = 2  # the format of marshal; later ones depend on what else the process holds
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same package whenever it is made: what did not change is not deployed again


def finish(package: Path) -> None:
    """Leave out what libraries have besides code, and add compiled code; in place."""
    with zipfile.ZipFile(package) as read:
        files = {name: read.read(name) for name in read.namelist() if _runs(PurePosixPath(name))}
    files.update(_compile({name: source for name, source in files.items() if _starts(PurePosixPath(name))}))
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as written:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(entry, content)


def _runs(name: PurePosixPath) -> bool:
    """Whether a function may need a file: all that is ours; of libraries the code, the licences and the versions."""
    return name.parts[0] in _OURS or name.suffix in (".py", ".so") or name.parts[0].endswith(".dist-info")


def _starts(name: PurePosixPath) -> bool:
    return name.suffix == ".py" and name.parts[0] in _COMPILED


def _compile(sources: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Compiled modules by their names in the package; they hold whatever the time of the sources."""
    for name, source in sources.items():
        code = compile(source, name, "exec", dont_inherit=True)
        header = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
        yield importlib.util.cache_from_source(name), header + marshal.dumps(code, _WITHOUT_REFERENCES)


if __name__ == "__main__":
    finish(Path(sys.argv[1]))
