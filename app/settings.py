"""Every setting of Livery. All have defaults: it starts with nothing set.

Read once, where a process begins, and passed down as values. The help page of settings is compared with this
class by a test.
"""

import ipaddress
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings from the environment (or a ``.env`` file), under the names below in upper case."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    data_dir: Path = Field(Path("data"), description="Folder for the database, files and keys of the embedded defaults")
    database_url: str = Field("", description="SQLAlchemy address; empty means SQLite in the data folder")
    broker_url: str = Field(
        "", description="Redis address for Celery; empty means workers ask the job table themselves"
    )
    storage_url: str = Field("", description="`s3://bucket/prefix`; empty means a folder in the data folder")
    s3_endpoint_url: str = Field("", description="Address of an S3-compatible server; empty means the cloud's own")
    s3_region: str = Field("us-east-1", description="Region of the bucket")
    s3_access_key_id: str = Field("", description="Access key of the bucket")
    s3_secret_access_key: SecretStr = Field(SecretStr(""), description="Secret key of the bucket")
    host: str = Field("127.0.0.1", description="Address that the web process listens on")
    port: int = Field(8000, ge=1, le=65535, description="Port that the web process listens on")
    public_url: str = Field("", description="Address under which people reach Livery; `https://…` makes cookies secure")
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of the proxies before Livery, separated by spaces, whose `X-Forwarded-For` "
        "and `X-Forwarded-Proto` are trusted; empty means none",
    )
    secret_key: SecretStr = Field(
        SecretStr(""), description="Signs links and forms and seals secrets; empty means a key kept in the data folder"
    )
    sign_in_days: int = Field(30, ge=1, le=365, description="Days after which everybody signs in again")
    sign_in_idle_days: int = Field(
        0,
        ge=0,
        le=365,
        description="Days without a visit after which a browser is signed out earlier; 0 turns that off",
    )
    workspaces_by: Literal["everybody", "first-owners", "nobody"] = Field(
        "everybody",
        description="Who may make further workspaces: `everybody`, `first-owners` (owners of the first workspace) or "
        "`nobody`",
    )
    embedded_workers: str = Field(
        "training generation",
        description="Worker processes that `python -m app` starts and supervises, separated by spaces, each with its "
        "queues joined by `+`; `training+generation` is one process for both, `none` starts none",
    )
    max_image_mb: int = Field(50, ge=1, le=2000, description="Largest picture that can be uploaded, in MB")
    max_archive_mb: int = Field(1000, ge=1, le=20000, description="Largest ZIP that can be uploaded, in MB")
    max_text_mb: int = Field(20, ge=1, le=500, description="Largest file of texts that can be uploaded, in MB")
    max_adapter_mb: int = Field(
        1000, ge=1, le=20000, description="Largest adapter file that can be uploaded or fetched, in MB"
    )
    hub_url: str = Field(
        "https://huggingface.co",
        description="Model hub that base models and adapters are fetched from, and adapters published to",
    )
    hub_file_hosts: str = Field(
        "",
        description="Further host names that `HUB_URL` may send workers to for its files, separated by spaces; needed "
        "only for a mirror",
    )
    checkpoints_folder: str = Field(
        "",
        description="Folder on the workers' machine whose checkpoints may be added as base models; empty means "
        "`checkpoints` in the data folder",
    )
    civitai_url: str = Field("https://civitai.com", description="Address of Civitai, which adapters are fetched from")
    max_jobs_per_workspace: int = Field(
        200, ge=1, le=1_000_000, description="Jobs of one workspace that may wait or run at once, in each queue"
    )
    max_live_pages: int = Field(
        500,
        ge=0,
        description="Pages that one web process keeps up to date through an open stream each; further ones poll. Each "
        "takes a connection, so stay below the limit of open files (`ulimit -n`)",
    )
    disk_floor_mb: int = Field(
        500,
        ge=0,
        description="Below this much free disk space, in MB, uploads are refused and jobs wait; 0 turns that off",
    )
    hang_minutes: float = Field(
        60,
        ge=0,
        description="A job without progress for this many minutes counts as hung: its worker is restarted and the job "
        "is tried again; 0 turns that off",
    )
    metrics_token: SecretStr = Field(
        SecretStr(""), description="Bearer token that may read `/metrics`; empty means only an owner's API token may"
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: str) -> str:
        """Not names, and not everybody: then every client could choose the address that it is counted by."""
        for one in value.split():
            if ipaddress.ip_network(one, strict=False).prefixlen == 0:
                raise ValueError("name the proxies' own addresses, not all there are")
        return value

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.data_dir / 'livery.sqlite3').resolve()}"

    @property
    def effective_checkpoints_folder(self) -> Path:
        return Path(self.checkpoints_folder) if self.checkpoints_folder else self.data_dir / "checkpoints"

    @property
    def hub_hosts(self) -> tuple[str, ...]:
        """Further hosts that the hub's files lie on."""
        return tuple(self.hub_file_hosts.lower().split())

    @property
    def most_adapter_bytes(self) -> int:
        return self.max_adapter_mb * 1_000_000

    @property
    def hang_after_seconds(self) -> float:
        """A job that gets no further for so long counts as hung; 0 turns that off."""
        return self.hang_minutes * 60.0

    @property
    def sign_in_life(self) -> timedelta:
        return timedelta(days=self.sign_in_days)

    @property
    def sign_in_idle(self) -> timedelta:
        """How long a browser may stay away; as long as its sign-in lasts where nothing shorter is set."""
        return timedelta(days=self.sign_in_idle_days or self.sign_in_days)

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")

    def signing_key(self) -> bytes:
        """The key for signed links and forms; made once and kept readable by the owner alone."""
        given = self.secret_key.get_secret_value()
        if given:
            return given.encode()
        path = self.data_dir / "secret_key"
        if not path.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f"secret_key.{secrets.token_hex(4)}")
            aside.touch(mode=0o600)
            aside.write_text(secrets.token_hex(32))
            try:
                # A hard link fails when another process was faster: then its key counts.
                path.hardlink_to(aside)
            except FileExistsError:
                pass
            finally:
                aside.unlink()
        return path.read_text().strip().encode()
