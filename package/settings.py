"""Settings from the environment, read here and nowhere else. Every variable begins with `ROUTE_SQL_`."""

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from route_sql.agents.brief import Wording
from route_sql.tools.errors import InvalidInput

PREFIX = "ROUTE_SQL_"
_VALUES = {"max_tokens": "a whole number above 0", "trace_content": "true or false"}
"""Valid values of fields where pydantic's own words would not say all."""


class Settings(BaseSettings):
    """Settings of the command line and of Studio; a command's own options come before them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=None)

    model: str = Field(
        default="default",
        description="A store name (default, base, base-1.5b, tiny), a GGUF file, a folder of `train export`, or a URL; "
        "several URLs of one model have commas between them.",
    )
    api_key: SecretStr | None = Field(default=None, description="Sent to the server at a URL as a bearer token.")
    server_model: str | None = Field(
        default=None, description="The model or adapter to ask for at a URL, if not the first that the server names."
    )
    max_tokens: int | None = Field(
        default=None, gt=0, description="Tokens of a reply at most, if not the model's own limit."
    )
    calibration: Path | None = Field(
        default=None, description="A file of `train calibrate`, if not the model's own calibration."
    )
    databases: Path = Field(default=Path("databases.toml"), description="The catalog of databases.")
    wording: Wording | None = Field(
        default=None, description="`tuned` or `instruct` for the model at a URL, if its name doesn't say which."
    )
    cache: Path | None = Field(default=None, description="Where model weights are kept, if not the user's cache.")
    warm: str | None = Field(
        default=None,
        description="Databases whose schemas `serve` computes at its start, with commas between them; "
        "`all` for those of the catalog.",
    )
    trace_content: bool = Field(
        default=False, description="Let traces hold rows, prompts, replies and the literals of SQL."
    )
    data: Path | None = Field(
        default=None, description="Where the HTTP app keeps its threads, if not the user's folder for data."
    )
    threads: SecretStr | None = Field(
        default=None, description="The file or the PostgreSQL URL of the HTTP app's threads, if not the default file."
    )

    def __init__(self, **given: Any) -> None:
        """Read the environment; a given value comes before it.

        Raises:
            InvalidInput: a value is wrong; the message names each variable and its valid values.
        """
        try:
            super().__init__(**given)
        except ValidationError as error:
            said = [_said(str(each["loc"][0]), each["msg"], each["input"], given) for each in error.errors()]
            raise InvalidInput("; ".join(said)) from error


def _said(field: str, message: str, value: object, given: dict[str, Any]) -> str:
    name = field if field in given else f"{PREFIX}{field.upper()}"
    return f"{name} must be {_VALUES.get(field, message.removeprefix('Input should be '))}, not {value!r:.100}"
