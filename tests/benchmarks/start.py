"""How long the web application takes to import, the memory it then holds, and how much is loaded for it.

``python -m tests.benchmarks.start [TIMES]`` imports it in that many fresh processes and prints the quickest: processor
time, which a busy machine stretches less than the clock. Compile the modules first, as an installation has them.
"""

import compileall
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRESH = """
import json, sys, tempfile, time
import psutil
begun, loaded = time.process_time(), len(sys.modules)
import app.main
from app.settings import Settings
imported = time.process_time()
application = app.main.create_app(Settings(data_dir=tempfile.mkdtemp()))
made, held = time.process_time(), psutil.Process().memory_info().rss / 1e6
application.openapi()
print(json.dumps({
    "import_seconds": imported - begun,
    "create_seconds": made - imported,
    "describe_seconds": time.process_time() - made,
    "modules": len(sys.modules) - loaded,
    "routes": len(application.routes),
    "megabytes": held,
}))
"""


def main() -> None:
    for folder in ("app", "migrations"):
        compileall.compile_dir(ROOT / folder, quiet=2)
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", FRESH], cwd=ROOT, capture_output=True, check=True).stdout)
        for _ in range(times)
    ]
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    print(f"import app.main: {best['import_seconds']:.2f} s, {best['modules']} modules")
    print(
        f"application of {best['routes']} routes: {best['create_seconds']:.2f} s more, {best['megabytes']:.0f} MB held"
    )
    print(f"description of the API: {best['describe_seconds']:.2f} s, when it is first asked for")


if __name__ == "__main__":
    main()
