"""Who is asking, and by what the answerer is known."""

import threading
from collections.abc import Callable

from chalicelib.broker import cache, ports, sessions
from chalicelib.model import account, errors, limits
from chalicelib.model import certificate as certificates


class Identities:
    """Look up access keys, and the deployment's certificate."""

    def __init__(
        self,
        *,
        store: ports.Identities,
        temporary: sessions.Sessions,
        clock: ports.Clock,
        make_certificate: Callable[[], certificates.Certificate] | None = None,
        public_secret: str | None = None,
    ) -> None:
        """Set up.

        Args:
            store: what is kept of them.
            temporary: knows temporary keys, which are not kept.
            clock: time.
            make_certificate: makes the deployment's certificate when it is first asked for, if nobody has set up one.
            public_secret: one that everybody knows; a key that has it is refused.
        """
        self._store = store
        self._temporary = temporary
        self._make_certificate = make_certificate
        self._public_secret = public_secret
        self._lock = threading.Lock()  # so that one certificate is made, however many threads ask for it
        self._known: cache.Cache[str, account.AccessKey] = cache.Cache(clock, self._load)

    def known(self, access_key_id: str, token: str = "") -> account.AccessKey | account.TemporaryKey:
        """The key with this id, temporary or not; `token` is a temporary one's.

        Raises:
            errors.InvalidAccessKeyId: there is no such key, or it is disabled, see `key`.
            errors.SecurityToken: the token is not this key's, or its time is over.
        """
        if access_key_id.startswith(sessions.PREFIX):
            return self._temporary.known(access_key_id, token)
        return self.key(access_key_id)

    def key(self, access_key_id: str) -> account.AccessKey:
        """The key with this id, at most `limits.CACHE_SECONDS` old.

        Raises:
            errors.InvalidAccessKeyId: there is no such key.
            errors.InactiveAccessKeyId: it is disabled.
        """
        key = self._known.get(access_key_id)
        if key is None:
            raise errors.InvalidAccessKeyId
        if not key.enabled:
            raise errors.InactiveAccessKeyId
        return key

    def _load(self, access_key_id: str) -> account.AccessKey | None:
        key = self._store.key(access_key_id) if len(access_key_id) <= limits.ACCESS_KEY_ID_LENGTH else None
        if key is not None and key.secret == self._public_secret:
            raise errors.InvalidAccessKeyId(
                f"The key {access_key_id} has the secret that every local server has, and is refused here:"
                f" make another one with `mns key rotate {access_key_id}`."
            )
        return key

    def forget(self) -> None:
        """Load everything anew the next time it is asked for."""
        self._known.clear()

    def add_key(self, key: account.AccessKey) -> None:
        """Store a key, in place of one with its id."""
        self._store.put_key(key)
        self._known.forget(key.access_key_id)

    def certificate(self) -> certificates.Certificate | None:
        """The certificate that pushes are signed with; None: none has been set up."""
        with self._lock:
            found = self._store.certificate()
            if found is None and self._make_certificate is not None:
                found = self._make_certificate()
                self._store.put_certificate(found)
            return found

    def set_certificate(self, new: certificates.Certificate) -> None:
        """Set up the certificate."""
        self._store.put_certificate(new)
