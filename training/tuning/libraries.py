"""The libraries that training needs, which only the extra `training` installs."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from route_sql.training.errors import TrainingError

MODULES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "gguf", "matplotlib")
"""The modules that fine-tuning imports; each has the name of its package."""


def require_libraries(
    modules: Sequence[str] = MODULES, what: str = "training", install: str = "'route-sql[training]'"
) -> None:
    """Check that libraries are installed.

    Args:
        modules: The modules; each has the name of its package.
        what: The work that needs them.
        install: The argument of `pip install` that brings them.

    Raises:
        TrainingError: packages are missing.
    """
    if missing := [name for name in modules if find_spec(name) is None]:
        raise TrainingError(
            f"{what} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            f"pip install {install}"
        )


def library_versions() -> dict[str, str | None]:
    """The versions of these libraries and of this package; None for one that is not installed."""
    return {name: _version(name) for name in ("route-sql", *MODULES)}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
