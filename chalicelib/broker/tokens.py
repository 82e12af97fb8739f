"""What is done once only: requests by their nonce, and calls by the token that their client gave them."""

from collections.abc import Callable

from chalicelib.broker import ports
from chalicelib.model import errors, limits


class Tokens:
    """Tell what comes for the first time from what comes again."""

    def __init__(self, *, store: ports.Tokens, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock

    def use(self, nonce: str, *, signed_at: int) -> bool:
        """Use up the nonce of a request signed at a moment (ms); False: it has been used.

        It is remembered for as long as the request would be taken for a fresh one.
        """
        now = self._clock.now()
        until = signed_at + limits.CLOCK_SKEW_SECONDS * 1000
        return self._store.take(nonce, "", now=now, until=max(until, now) + 1) is None

    def once(self, token: str, digest: str, call: Callable[[], str]) -> str:
        """The outcome of `call`, made once however often it is asked for; a call that fails may be made again.

        Args:
            token: names the call.
            digest: of what the call was asked to do.
            call: does it.

        Raises:
            errors.IdempotentParameterMismatch: the token stands for a call that was asked to do something else.
            errors.IdempotentProcessing: the call is being made at the moment.
        """
        now = self._clock.now()
        taken = self._store.take(token, digest, now=now, until=now + limits.CLIENT_TOKEN_LEASE_SECONDS * 1000)
        if taken is not None:
            if taken.digest != digest:
                raise errors.IdempotentParameterMismatch
            if taken.outcome is None:
                raise errors.IdempotentProcessing
            return taken.outcome
        try:
            outcome = call()
        except BaseException:
            self._store.give_back(token)
            raise
        self._store.settle(token, digest, outcome, until=now + limits.CLIENT_TOKEN_SECONDS * 1000)
        return outcome
