"""Names the container images by the digest that their tags have now, on a machine with docker or skopeo.

A digest never changes, so what runs is what was looked at; but it gets no repairs by itself either: run this from time
to time, look at the difference, and build again.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = ("docker-compose.yml", "app/Dockerfile", "worker/Dockerfile")
IMAGE = re.compile(r"(?P<name>[\w./-]+:[\w.-]+)@(?P<digest>sha256:[0-9a-f]{64})")


def digest_of(image: str) -> str:
    """The digest of a tag, for all processors at once. Raises ``CalledProcessError``; ``SystemExit`` without a tool."""
    if shutil.which("docker"):
        command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]
    elif shutil.which("skopeo"):
        # Without --raw it would be the digest for this machine's processor alone.
        raw = subprocess.run(["skopeo", "inspect", "--raw", f"docker://{image}"], check=True, capture_output=True)
        from hashlib import sha256

        return f"sha256:{sha256(raw.stdout).hexdigest()}"
    else:
        raise SystemExit(
            "Digests are asked for with docker or skopeo; neither is on this machine. Nothing was changed."
        )
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def pinned(text: str, ask: Callable[[str], str]) -> str:
    """``text`` with the present digest behind every image that has one."""
    return IMAGE.sub(lambda found: f"{found['name']}@{ask(found['name'])}", text)


def main() -> None:
    known: dict[str, str] = {}

    def ask(image: str) -> str:
        if image not in known:
            known[image] = digest_of(image)
        return known[image]

    texts = {ROOT / name: pinned((ROOT / name).read_text(), ask) for name in FILES}
    for path, text in texts.items():
        path.write_text(text)
    for image, digest in known.items():
        print(f"{image} is {digest}")


if __name__ == "__main__":
    sys.exit(main())
