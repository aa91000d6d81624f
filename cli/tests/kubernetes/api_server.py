"""An API server, a Job controller and a node in one: pods are processes of this machine.

usage: api_server.py GEOFLOW [FAULT...]

Prints its port. GEOFLOW is the program that stands for every image. What it knows of Kubernetes is
what geoflow uses: Jobs (create, dry run, get, list, watch, merge patch), pods (list, watch, logs) and
events (list). A FAULT makes the first tries of an index end otherwise: INDEX:CODE, with CODE 137
killed for its memory; INDEX:pending leaves its pod without a node; forbid:VERB:RESOURCE refuses.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

GEOFLOW = sys.argv[1]
FAULTS = {}
FORBIDDEN = set()
for fault in sys.argv[2:]:
    if fault.startswith("forbid:"):
        FORBIDDEN.add(tuple(fault.split(":")[1:]))
    else:
        index, what = fault.split(":")
        FAULTS[int(index)] = what

lock = threading.Condition()
objects = {"jobs": {}, "pods": {}}
changes = []  # (version, resource, kind, object)
logs = {}
processes = {}


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def store(resource, kind, obj):
    """A change that watches see. The lock is held."""
    version = len(changes) + 1
    obj = json.loads(json.dumps(obj))
    obj["metadata"]["resourceVersion"] = str(version)
    name = obj["metadata"]["name"]
    if kind == "DELETED":
        objects[resource].pop(name, None)
    else:
        objects[resource][name] = obj
    changes.append((version, resource, kind, obj))
    lock.notify_all()
    return obj


def ranges(indexes):
    return ",".join(str(i) for i in sorted(indexes))


class Controller(threading.Thread):
    """Runs the indexes of one Job."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.name_of_job = name
        self.done, self.failed, self.tries, self.running = set(), set(), {}, {}

    def run(self):
        while not self.step():
            time.sleep(0.05)

    def step(self):
        with lock:
            job = objects["jobs"].get(self.name_of_job)
            if job is None:
                return True
            spec = job["spec"]
            if spec.get("suspend"):
                self.stop()
                return False
            total = spec["completions"]
            todo = [i for i in range(total) if i not in self.done | self.failed and i not in self.running]
            for index in todo[: spec["parallelism"] - len(self.running)]:
                self.start_pod(job, index)
            ended = [(i, p) for i, p in self.running.items() if p is not None and p.poll() is not None]
            fail_job = False
            for index, process in ended:
                fail_job |= self.end_pod(job, index, process.returncode)
            finished = fail_job or len(self.done) + len(self.failed) == total
            if ended or finished or todo:
                self.write_status(job, finished, fail_job)
            if fail_job:
                self.stop()
            return finished

    def start_pod(self, job, index):
        attempt = self.tries.get(index, 0)
        self.tries[index] = attempt + 1
        name = f"{self.name_of_job}-{index}-{attempt:05d}"
        template = job["spec"]["template"]
        pod = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": job["metadata"]["namespace"], "creationTimestamp": now(),
                "labels": {**template["metadata"]["labels"], "batch.kubernetes.io/job-name": self.name_of_job},
                "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
            },
            "spec": template["spec"],
            "status": {"phase": "Running"},
        }
        if FAULTS.get(index) == "pending":
            pod["status"] = {"phase": "Pending", "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available."}]}
            self.running[index] = None
        elif index in FAULTS:
            code = FAULTS.pop(index)
            self.running[index] = subprocess.Popen(["sh", "-c", f"echo '{{\"message\":\"it was told to fail\"}}'; exit {code}"],
                                                   stdout=subprocess.DEVNULL)
        else:
            container = template["spec"]["containers"][0]
            env = dict(os.environ, JOB_COMPLETION_INDEX=str(index))
            for variable in container.get("env", []):
                env[variable["name"]] = variable.get("value", "")
            log = open(f"{LOGS}/{name}", "wb")
            self.running[index] = subprocess.Popen([GEOFLOW] + container["args"], env=env, stdout=log,
                                                   stderr=subprocess.STDOUT)
        store("pods", "ADDED", pod)

    def pod(self, index):
        return objects["pods"].get(f"{self.name_of_job}-{index}-{self.tries[index] - 1:05d}")

    def end_pod(self, job, index, code):
        """Whether the whole Job fails of it."""
        del self.running[index]
        pod = self.pod(index)
        code = 128 - code if code < 0 else code
        reason = {0: "Completed", 137: "OOMKilled"}.get(code, "Error")
        try:
            message = open(f"{LOGS}/{pod['metadata']['name']}").read()[-2048:]
        except OSError:
            message = ""
        pod["status"] = {
            "phase": "Succeeded" if code == 0 else "Failed",
            "containerStatuses": [{"name": "task", "image": "", "imageID": "", "ready": False, "restartCount": 0,
                                   "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}}}],
        }
        store("pods", "MODIFIED", pod)
        if code == 0:
            self.done.add(index)
        elif code == 65 or self.tries[index] > job["spec"]["backoffLimitPerIndex"]:
            self.failed.add(index)
        return code in (64, 78)

    def write_status(self, job, finished, fail_job):
        job = json.loads(json.dumps(job))
        status = {
            "startTime": job["status"].get("startTime") or now(), "active": len(self.running),
            "succeeded": len(self.done), "completedIndexes": ranges(self.done), "failedIndexes": ranges(self.failed),
        }
        if finished:
            failed = fail_job or self.failed
            reason = "PodFailurePolicy" if fail_job else "FailedIndexes"
            status["conditions"] = [{"type": "Failed" if failed else "Complete", "status": "True",
                                     "reason": reason if failed else "CompletionsReached", "message": ""}]
        job["status"] = status
        store("jobs", "MODIFIED", job)

    def stop(self):
        for index, process in list(self.running.items()):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait()
            pod = self.pod(index)
            if pod is not None:
                store("pods", "DELETED", pod)
            del self.running[index]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, obj):
        body = json.dumps(obj).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, code, reason, message):
        self.answer(code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                           "message": message, "reason": reason, "code": code})

    def handle_one(self, method):
        url = urlparse(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        match = re.fullmatch(r"/(?:api/v1|apis/batch/v1)/namespaces/([^/]+)/(jobs|pods|events)(?:/([^/]+))?(/log)?", url.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if not match:
            return self.refuse(404, "NotFound", f"no {url.path}")
        namespace, resource, name, log = match.groups()
        verb = {"POST": "create", "PATCH": "patch"}.get(method) or ("get" if name else "watch" if "watch" in query else "list")
        if (verb, resource) in FORBIDDEN:
            group = "batch" if resource == "jobs" else ""
            return self.refuse(403, "Forbidden", f'{resource} is forbidden: User "jane" cannot {verb} resource "{resource}" '
                                                 f'in API group "{group}" in the namespace "{namespace}"')
        if resource == "events":
            return self.answer(200, {"kind": "EventList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []})
        if log:
            return self.log(name)
        if verb == "watch":
            return self.watch(resource, query)
        with lock:
            if verb == "create":
                return self.create(namespace, body, "dryRun" in query)
            if verb == "list":
                items = [o for o in objects[resource].values() if selected(o, query)]
                kind, api = ("JobList", "batch/v1") if resource == "jobs" else ("PodList", "v1")
                return self.answer(200, {"kind": kind, "apiVersion": api,
                                         "metadata": {"resourceVersion": str(len(changes))}, "items": items})
            found = objects[resource].get(name)
            if found is None:
                return self.refuse(404, "NotFound", f'{resource}.batch "{name}" not found')
            if verb == "patch":
                changed = json.loads(json.dumps(found))
                changed["spec"].update(body["spec"])
                found = store(resource, "MODIFIED", changed)
            self.answer(200, found)

    def create(self, namespace, job, dry_run):
        name = job["metadata"]["name"]
        if name in objects["jobs"]:
            return self.refuse(409, "AlreadyExists", f'jobs.batch "{name}" already exists')
        job["metadata"].update(namespace=namespace, creationTimestamp=now(), uid="0")
        job["status"] = {}
        if dry_run:
            return self.answer(201, job)
        created = store("jobs", "ADDED", job)
        Controller(name).start()
        self.answer(201, created)

    def log(self, name):
        try:
            body = open(f"{LOGS}/{name}", "rb").read()
        except OSError:
            return self.refuse(400, "BadRequest", f'container "task" in pod "{name}" is waiting to start')
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def watch(self, resource, query):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        seen = int(query.get("resourceVersion") or 0)
        try:
            while True:
                with lock:
                    while len(changes) <= seen:
                        lock.wait(1)
                    new = changes[seen:]
                    seen = len(changes)
                for _, changed, kind, obj in new:
                    if changed == resource and selected(obj, query):
                        line = json.dumps({"type": kind, "object": obj}).encode() + b"\n"
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
        except OSError:
            pass

    def do_GET(self):
        self.handle_one("GET")

    def do_POST(self):
        self.handle_one("POST")

    def do_PATCH(self):
        self.handle_one("PATCH")


def selected(obj, query):
    labels = obj["metadata"].get("labels", {})
    selector = query.get("labelSelector", "")
    return all(labels.get(key) == value for key, _, value in (s.partition("=") for s in selector.split(",") if s))


LOGS = os.environ["API_SERVER_LOGS"]
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
