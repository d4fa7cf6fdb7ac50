"""Exceptions between us and a model; each message names the server or source, quotes it, and says what to do."""

from route_sql.tools.errors import RouteError


class ServingError(RouteError):
    """Base of every exception about where the model is."""


class ServerUnavailable(ServingError):
    """A model server can't be reached, is overloaded, or did not answer in time."""


class ServerRefused(ServingError):
    """A model server answered, but not with a completion: a wrong key, an unknown model, a bad request."""

    def __init__(self, message: str, status: int | None = None, said: str = "") -> None:
        """`status` is the error's status and `said` the server's words; None where the answer was not an error."""
        super().__init__(message)
        self.status = status
        self.said = said


class ContextExceeded(ServingError):
    """The prompt, or the prompt and the answer asked for, is longer than the model's context."""

    def __init__(self, message: str, prompt_tokens: int | None = None, context: int | None = None) -> None:
        """Counts are in tokens, as the server gave them; None where it gave none."""
        super().__init__(message)
        self.prompt_tokens = prompt_tokens
        self.context = context


class ModelUnavailable(ServingError):
    """No verified model file: an unknown name, no such file, no source reached, or the wrong bytes."""


class RuntimeMissing(ServingError):
    """The embedded server can't run here: a package, library, CPU feature or memory is missing."""
