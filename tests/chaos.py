"""``python -m tests.chaos --minutes 10 --seed 7``: real servers, real processes, killed at random while jobs run.

The short forms are ``tests/journeys/test_chaos.py`` and ``tests/worker/test_survival.py``. What is checked afterwards
stands in ``violations``.
"""

import argparse
import contextlib
import hashlib
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx2
import numpy as np
import psutil
from PIL import Image
from safetensors.numpy import load
from sqlalchemy import func, select, update

from app.accounts import service as accounts
from app.accounts.models import ApiToken
from app.adapters.models import Adapter
from app.db import DATABASE_AWAY, Database, new_id, now
from app.generations.models import Generation, Output
from app.jobs import counters
from app.jobs.models import Counter as StoredCounter
from app.jobs.models import Job, LeaseExpiry, Worker
from app.migrate import migrate
from app.operations import keys
from app.settings import Settings
from app.storage import open_storage
from tests import servers
from tests.servers import Livery, Server, wait_until

ENDED = ("done", "failed", "cancelled")
STEP_SECONDS = 0.15
PICTURES = 6


@dataclass(frozen=True)
class Plan:
    """How much of what."""

    scaled: bool = True
    """PostgreSQL, Redis, S3, two web processes and two workers; else SQLite, a folder, one web process, one worker."""
    seed: int = 7
    generations: int = 24
    trainings: int = 1
    kills: int = 8
    seconds: float = 50.0
    """Over which the orders and the kills are spread."""
    lease: float = 4.0
    steps: int = 24
    workers: int = 2
    without_fence: bool = False


@dataclass
class World:
    """Everything that runs, and the customer's way in."""

    plan: Plan
    folder: Path
    environment: dict[str, str]
    database: Database
    settings: Settings
    services: dict[str, Server]
    webs: list[Livery] = field(default_factory=list)
    workers: list[Livery] = field(default_factory=list)
    paused: set[int] = field(default_factory=set)
    token: str = ""
    project_id: str = ""
    accepted: set[str] = field(default_factory=set)
    """Ids of the trainings and generations that were answered with 201."""
    reference: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    """An undisturbed training's tensors, by its seed."""
    seed_of: dict[str, int] = field(default_factory=dict)
    done_to: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    refused_writes: int = 0
    longest_wait: float = 0.0
    """Of a queued job while a worker was free."""

    def start_web(self, port: int | None = None) -> Livery:
        more = {"PORT": str(port)} if port else {}
        return Livery(self.folder, module="app.web.serve", **self.environment, **more)

    def start_worker(self) -> Livery:
        plan = self.plan
        arguments = ["--model", str(self.folder / "model"), "--lease", str(plan.lease)]
        arguments += ["--step-seconds", str(STEP_SECONDS)]
        if plan.without_fence:
            arguments.append("--without-fence")
        return Livery(self.folder, module="tests.chaos_worker", arguments=tuple(arguments), **self.environment)

    def call(self, method: str, path: str, **content: object) -> httpx2.Response | None:
        """Ask one of the web processes; None when none answers. The customer tries again later, as people do."""
        for web in random.sample(self.webs, len(self.webs)):
            try:
                answer = httpx2.request(
                    method,
                    f"{web.address}/api/v1{path}",
                    headers={"authorization": f"Bearer {self.token}"},
                    timeout=20,
                    **content,  # type: ignore[arg-type]
                )
            except httpx2.HTTPError:
                self.answered["no answer"] += 1
                continue
            self.answered[str(answer.status_code)] += 1
            return answer
        return None

    def order(self, path: str, body: dict[str, object]) -> str | None:
        """Order until it is accepted; returns the id."""
        for _ in range(60):
            answer = self.call("POST", f"/projects/{self.project_id}{path}", json=body)
            if answer is not None and answer.status_code == 201:
                self.accepted.add(answer.json()["id"])
                return str(answer.json()["id"])
            assert answer is None or answer.status_code == 503, (answer.status_code, answer.text)
            time.sleep(0.5)
        return None

    def order_training(self, seed: int) -> str:
        training_id = self.order(
            "/trainings",
            {
                "order_id": new_id(),
                "steps": self.plan.steps,
                "checkpoint_every": 4,
                "seed": seed,
                "rank": 4,
                "resolution": 96,
                "sample_prompts": ["[trigger], a red apple"],
            },
        )
        assert training_id is not None
        self.seed_of[training_id] = seed
        return training_id

    def states(self) -> Counter[str]:
        with self.database.read() as session:
            return Counter(dict(session.execute(select(Job.state, func.count()).group_by(Job.state)).all()))

    def is_quiet(self) -> bool:
        try:
            states = self.states()
        except DATABASE_AWAY:
            return False
        return not states["queued"] and not states["running"]


@contextmanager
def world(folder: Path, plan: Plan) -> Iterator[World]:
    """Start everything; end it however the block ends."""
    with ExitStack() as stack:
        services: dict[str, Server] = {}
        environment = {"SECRET_KEY": "only for tests", "OMP_NUM_THREADS": "1", "DISK_FLOOR_MB": "0"}
        if plan.scaled:
            services["redis"], environment["BROKER_URL"] = servers.redis(folder)
            stack.callback(services["redis"].stop)
            services["postgres"], environment["DATABASE_URL"] = servers.postgres(folder)
            stack.callback(services["postgres"].stop)
            services["storage"], environment["S3_ENDPOINT_URL"] = servers.s3(folder / "storage")
            stack.callback(services["storage"].stop)
            for server in services.values():
                server.wait_until_ready()
            environment |= {"STORAGE_URL": "s3://livery/chaos", "S3_ACCESS_KEY_ID": "test"}
            environment["S3_SECRET_ACCESS_KEY"] = "test"
        given = {name.lower(): value for name, value in environment.items() if name != "OMP_NUM_THREADS"}
        settings = Settings(_env_file=None, data_dir=folder / "data", **given)  # type: ignore[arg-type]
        database = Database(settings.effective_database_url)
        stack.callback(database.engine.dispose)
        migrate(database)
        made = World(plan, folder, environment, database, settings, services)
        _make_model(folder / "model")
        _become_owner(made)
        stack.callback(lambda: [process.stop() for process in (*made.webs, *made.workers)])
        made.webs = [made.start_web() for _ in range(2 if plan.scaled else 1)]
        made.workers = [made.start_worker() for _ in range(plan.workers)]
        for web in made.webs:
            web.wait_until_ready()
        _make_brand(made)
        yield made


def _make_model(folder: Path) -> None:
    from worker.engines.image.builtin.stand_in import random_pipeline

    random_pipeline(0).save_pretrained(folder)


def _become_owner(made: World) -> None:
    made.token = f"{accounts.TOKEN_START}{new_id()}"
    with made.database.write() as session:
        user, workspace = accounts.create_owner(
            session, name="Ada", email="ada@example.org", password_hash="-", workspace_name="Muster", locale="en"
        )
        token_hash = accounts.sha256(made.token)
        session.add(
            ApiToken(
                workspace_id=workspace.id, user_id=user.id, name="x", prefix=made.token[:12], token_hash=token_hash
            )
        )


def _make_brand(made: World) -> None:
    answer = made.call("POST", "/projects", json={"name": "Nordlicht", "trigger_word": "nordlicht"})
    assert answer is not None and answer.status_code < 300, answer and answer.text
    made.project_id = answer.json()["id"]
    for number in range(PICTURES):
        path = made.folder / f"picture-{number}.png"
        noise = np.random.default_rng(number).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((192, 192), Image.Resampling.NEAREST).save(path)
        with path.open("rb") as file:
            answer = made.call("POST", f"/projects/{made.project_id}/images", files={"file": (path.name, file)})
        assert answer is not None and answer.status_code < 300, answer and answer.text


# What is done to it --------------------------------------------------------------------------------------------------


def kill_worker(made: World, index: int) -> None:
    victim = made.workers[index]
    victim.process.kill()
    victim.process.wait()
    made.workers[index] = made.start_worker()


def kill_beneath_supervisor(made: World, index: int) -> None:
    """As the system does for want of memory; the supervisor starts another."""
    for process in made.workers[index].workers():
        process.kill()


def pause_worker(made: World, index: int) -> None:
    victims = made.workers[index].workers()
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in victims:
            process.suspend()
            made.paused.add(process.pid)
        time.sleep(made.plan.lease * 1.7)
        for process in victims:
            made.paused.discard(process.pid)
            process.resume()


def kill_web(made: World, index: int) -> None:
    victim = made.webs[index]
    victim.process.kill()
    victim.process.wait()
    made.webs[index] = made.start_web(victim.port)


def disturb(made: World, kind: str, chance: random.Random) -> None:
    """Kill or pause one process of this kind; it is there again when this returns, or soon after."""
    made.done_to[kind] += 1
    if kind == "worker killed":
        kill_worker(made, chance.randrange(len(made.workers)))
    elif kind == "worker killed beneath its supervisor":
        kill_beneath_supervisor(made, chance.randrange(len(made.workers)))
    elif kind == "worker paused past its lease":
        pause_worker(made, chance.randrange(len(made.workers)))
    elif kind == "web killed":
        kill_web(made, chance.randrange(len(made.webs)))
    elif kind in ("redis killed", "postgres killed", "storage killed"):
        server = made.services[kind.split()[0]]
        server.kill()
        time.sleep(chance.uniform(0, 2))
        server.start()
        server.wait_until_ready()
    elif kind == "storage paused":
        made.services["storage"].pause()
        time.sleep(chance.uniform(1, 3))
        made.services["storage"].resume()


def kinds_of(plan: Plan) -> list[str]:
    both = ["worker killed", "worker killed beneath its supervisor", "worker paused past its lease", "web killed"]
    return [*both, "redis killed", "postgres killed", "storage killed", "storage paused"] if plan.scaled else both


def run_chaos(made: World) -> None:
    """Reference trainings first, undisturbed; then orders and kills side by side; then wait until all is quiet."""
    plan, chance = made.plan, random.Random(made.plan.seed)
    first = [made.order_training(seed) for seed in range(plan.trainings)]
    wait_until(made.is_quiet, seconds=120 + 30 * plan.trainings, what="the undisturbed trainings")
    made.reference = {made.seed_of[one]: tensors_of(made, one) for one in first}

    over = threading.Event()
    threads = [
        threading.Thread(target=_watch_waits, args=(made, over)),
        threading.Thread(target=_customer, args=(made, random.Random(plan.seed + 1))),
    ]
    for thread in threads:
        thread.start()
    kinds = kinds_of(plan)
    acts = [*chance.sample(kinds, len(kinds)), *chance.choices(kinds, k=plan.kills)][: plan.kills]
    began = time.monotonic()
    for number, kind in enumerate(acts):
        due = began + plan.seconds * (number + chance.uniform(0.2, 0.8)) / len(acts)
        time.sleep(max(0.0, due - time.monotonic()))
        disturb(made, kind, chance)
    threads[1].join()
    wait_until(made.is_quiet, seconds=120 + plan.seconds, what=f"quiet after the chaos: {made.done_to}")
    time.sleep(plan.lease)  # whoever was paused has said what it had to say
    over.set()
    threads[0].join()
    made.refused_writes = sum(
        log.read_text(errors="replace").count("job ended: lease lost")
        for log in made.folder.glob("tests-chaos_worker-*")
    )


def _customer(made: World, chance: random.Random) -> None:
    plan = made.plan
    trainings = list(range(plan.trainings))
    for number in range(plan.generations):
        if trainings and number % max(1, plan.generations // plan.trainings) == 0:
            made.order_training(trainings.pop(0))
        ordered = made.order(
            "/generations",
            {
                "prompt": f"a red apple {number}",
                "count": chance.randint(1, 2),
                "steps": 3,
                "seed": number,
                "adapters": [],
            },
        )
        if ordered and chance.random() < 0.1:
            made.call("POST", f"/generations/{ordered}/cancel")
        time.sleep(plan.seconds / plan.generations * chance.uniform(0.2, 0.8))


def _watch_waits(made: World, over: threading.Event) -> None:
    """How long each job was queued without a break while a worker that could take it had nothing to do."""
    waiting: dict[str, float] = {}
    while not over.wait(0.25):
        try:
            with made.database.read() as session:
                queued = set(session.scalars(select(Job.id).where(Job.state == "queued")))
                alive = select(Worker.id).where(Worker.last_seen_at > now() - timedelta(seconds=made.plan.lease))
                there = list(session.scalars(alive))
                busy = [str(owner) for owner in session.scalars(select(Job.owner).where(Job.state == "running"))]
        except DATABASE_AWAY:
            waiting = {}
            continue
        working = [process.pid for worker in made.workers for process in _processes(worker)]
        running = [f"-{pid}-" for pid in working if pid not in made.paused]
        # One that has reported itself: a process that is still loading its libraries can take nothing.
        is_free = any(pid in worker for pid in running for worker in set(there) - set(busy))
        moment = time.monotonic()
        waiting = {job: waiting.get(job, moment) for job in queued} if is_free else {}
        made.longest_wait = max([made.longest_wait, *(moment - since for since in waiting.values())])


def _processes(worker: Livery) -> list[psutil.Process]:
    try:
        return worker.workers()
    except psutil.NoSuchProcess:
        return []


# What must be true afterwards ----------------------------------------------------------------------------------------


def tensors_of(made: World, training_id: str) -> dict[str, np.ndarray]:
    with made.database.read() as session:
        adapter = session.scalars(select(Adapter).where(Adapter.training_id == training_id)).one()
    return dict(load(open_storage(made.settings).get(adapter.diffusers_key)))


def violations(made: World) -> list[str]:
    """Every broken promise as a line; an empty list is what we want."""
    storage, found = open_storage(made.settings), []
    with made.database.read() as session:
        jobs = list(session.scalars(select(Job)))
        generations = {one.id: one for one in session.scalars(select(Generation))}
        outputs = list(session.scalars(select(Output)))
        adapters = Counter(session.scalars(select(Adapter.training_id)))
        counted = {
            (counter.kind, counter.state): int(counter.value)
            for counter in session.scalars(select(StoredCounter).where(StoredCounter.name == counters.ENDED))
        }
        pointed_to = sorted(set(keys.referenced(session)))
    found += [f"accepted and lost: {one}" for one in made.accepted - {job.subject_id for job in jobs}]
    found += [f"job {job.id} did not end: {job.state}" for job in jobs if job.state not in ENDED]
    found += [
        f"job {job.id} failed with {job.error_code}: {job.error_sentence}"
        for job in jobs
        if job.state == "failed" and (job.error_code not in ("worker_lost", "worker_killed") or not job.error_sentence)
    ]
    ended = Counter((job.kind, job.state) for job in jobs if job.state in ENDED)
    if counted != dict(ended):
        found.append(f"ends were counted {counted}, but there are {dict(ended)}: some job ended twice")
    places = Counter((output.generation_id, output.position) for output in outputs)
    found += [f"{count} pictures at {place}" for place, count in places.items() if count > 1]
    for job in jobs:
        if job.kind == "generation" and job.state == "done":
            wanted = set(range(generations[job.subject_id].recipe["count"]))
            there = {position for generation_id, position in places if generation_id == job.subject_id}
            if there != wanted:
                found.append(f"generation {job.subject_id} has the pictures {there}, not {wanted}")
        if job.kind == "training" and adapters[job.subject_id] != (job.state == "done"):
            found.append(f"training {job.subject_id} is {job.state} and has {adapters[job.subject_id]} adapters")
    found += [f"a row points at {key}, which is missing" for key in pointed_to if not storage.exists(key)]
    for output in outputs:
        if hashlib.sha256(storage.get(output.key)).hexdigest() != output.sha256:
            found.append(f"the file of output {output.id} is not what its row says")
    for training_id, seed in made.seed_of.items():
        if adapters[training_id] == 1 and seed in made.reference:
            tensors, wanted_tensors = tensors_of(made, training_id), made.reference[seed]
            same = tensors.keys() == wanted_tensors.keys() and all(
                np.array_equal(tensors[name], wanted_tensors[name]) for name in tensors
            )
            if not same:
                found.append(f"training {training_id} differs from the undisturbed one")
    if made.longest_wait > made.plan.lease + 10:
        found.append(f"a job waited {made.longest_wait:.1f} s while a worker was free")
    bad = {status: count for status, count in made.answered.items() if status.startswith("5") and status != "503"}
    if bad:
        found.append(f"answers that are no sentence: {bad}")
    return found


def report(made: World) -> str:
    """The counts, for people."""
    with made.database.read() as session:
        kinds = Counter(session.execute(select(Job.kind, Job.state)).all())
        again = sum(attempt - 1 for attempt in session.scalars(select(Job.attempt).where(Job.attempt > 1)))
        expired = session.scalar(select(func.count()).select_from(LeaseExpiry))
        pictures = session.scalar(select(func.count()).select_from(Output))
    lines = [
        f"jobs: {sum(kinds.values())}: "
        + ", ".join(f"{count} {kind} {state}" for (kind, state), count in sorted(kinds.items())),
        f"pictures: {pictures}",
        f"done to it: {made.done_to.total()}: "
        + ", ".join(f"{count} × {kind}" for kind, count in sorted(made.done_to.items())),
        f"leases lost: {expired}; jobs begun again: {again}; attempts whose writes were refused: {made.refused_writes}",
        f"longest wait beside a free worker: {made.longest_wait:.1f} s (lease {made.plan.lease:.0f} s)",
        "answers: " + ", ".join(f"{count} × {status}" for status, count in sorted(made.answered.items())),
    ]
    return "\n".join(lines)


def job_of(made: World, subject_id: str) -> Job:
    with made.database.read() as session:
        return session.scalars(select(Job).where(Job.subject_id == subject_id)).one()


def has_ended(made: World, subject_id: str) -> bool:
    """Whether it is done; fails where it ended otherwise."""
    job = job_of(made, subject_id)
    assert job.state in ("queued", "running", "done"), job.error_sentence
    return job.state == "done"


# A worker that sleeps past its lease, step by step -------------------------------------------------------------------


def suspend_between_writes(made: World, process: psutil.Process) -> None:
    """Pause ``process`` where it holds no lock on SQLite's file: nobody else could write until it goes on."""
    while True:
        process.suspend()
        try:
            with made.database.write() as session:
                session.execute(update(Worker).values(last_seen_at=Worker.last_seen_at))
            return
        except DATABASE_AWAY:
            process.resume()
            time.sleep(STEP_SECONDS / 3)


def wake_a_sleeper(made: World) -> None:
    """Pause the worker that trains until another has finished its job, and let it go on then."""
    training_id = made.order_training(1)

    def job() -> Job:
        return job_of(made, training_id)

    wait_until(lambda: job().progress_done >= 5, seconds=120, what="the training to be under way")
    owner = job().owner or ""
    sleeper, process = next(
        (worker, process) for worker in made.workers for process in worker.workers() if f"-{process.pid}-" in owner
    )
    suspend_between_writes(made, process)
    wait_until(lambda: job().state == "done", seconds=120, what="the other worker to finish it")
    ended = sleeper.log.read_text().count("job ended")
    process.resume()
    wait_until(lambda: sleeper.log.read_text().count("job ended") > ended, seconds=120, what="the sleeper to give up")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="over which orders and kills are spread")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--generations", type=int, default=200)
    parser.add_argument("--trainings", type=int, default=4)
    parser.add_argument("--kills", type=int, default=0, help="default: one every twelve seconds, at least 20")
    parser.add_argument("--embedded", action="store_true", help="SQLite, a folder and one worker")
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    plan = Plan(
        scaled=not arguments.embedded,
        seed=arguments.seed,
        generations=arguments.generations,
        trainings=arguments.trainings,
        kills=arguments.kills or max(20, int(seconds / 12)),
        seconds=seconds,
        steps=60,
        workers=1 if arguments.embedded else 2,
    )
    with tempfile.TemporaryDirectory(prefix="livery-chaos-") as folder, world(Path(folder), plan) as made:
        run_chaos(made)
        broken = violations(made)
        print(report(made))
    print("\n".join(broken) or "everything held")
    raise SystemExit(bool(broken))


if __name__ == "__main__":
    main()
