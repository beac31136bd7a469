"""An S3 server for the tests: moto, which checks signatures and rights once `strict` was said.

It prints its address, then answers each line of its input (words parted by tabs) with one line.
"""

import json
import sys
import threading
import urllib.request

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

moto = DomainDispatcherApplication(create_backend_app)
# How many bytes of the next object are sent before the rest waits for `go`; none where none is to wait.
hold_after, held, go = None, threading.Event(), threading.Event()


def app(environ, start_response):
    global hold_after
    body = moto(environ, start_response)
    is_object = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].startswith("/clinical/")
    if hold_after is None or not is_object or "list-type" in environ["QUERY_STRING"]:
        yield from body
        return
    first, hold_after, body = hold_after, None, b"".join(body)
    yield body[:first]
    held.set()
    go.wait()
    yield body[first:]


def machine(credentials):
    """The metadata service of a machine, or of a container, whose role has these credentials."""
    given = {name: credentials[name] for name in ("AccessKeyId", "SecretAccessKey")}
    given |= {"Token": credentials["SessionToken"], "RoleArn": "-", "Expiration": "2099-01-01T00:00:00Z"}
    given = json.dumps(given)
    roles = "/latest/meta-data/iam/security-credentials/"
    answers = {"/latest/api/token": "t", roles: "role", roles + "role": given, "/task": given}

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        start_response("200 OK" if path in answers else "404 Not Found", [("Content-Type", "text/plain")])
        return [answers.get(path, "").encode()]

    return app


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


def serve(app, ssl=None):
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet, ssl_context=ssl)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


endpoint = f"http://127.0.0.1:{serve(app)}"
common = {
    "endpoint_url": endpoint,
    "region_name": "us-east-1",
    "aws_access_key_id": "root",
    "aws_secret_access_key": "root",
}
s3, iam, sts = (boto3.client(name, **common) for name in ("s3", "iam", "sts"))
s3.create_bucket(Bucket="clinical")
print(endpoint, flush=True)


def user(name, policy):
    iam.create_user(UserName=name)
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"] + "\t" + key["SecretAccessKey"]


def role(name, policy):
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
    if policy:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return sts.assume_role(RoleArn=made["Arn"], RoleSessionName="node")["Credentials"]


def authenticate(after):
    data, headers = str(after).encode(), {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(endpoint + "/moto-api/reset-auth", data, headers)).read()


READ = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],'
    ' "Resource": "*"}]}'
)

TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
    ' "Principal": {"Service": "ec2.amazonaws.com"}}]}'
)

for line in sys.stdin:
    command, *words = line.rstrip("\n").split("\t")
    answer = "done"
    if command == "put":
        with open(words[1], "rb") as body:
            s3.put_object(Bucket="clinical", Key=words[0], Body=body.read())
    elif command == "delete":
        s3.delete_object(Bucket="clinical", Key=words[0])
    elif command == "user":
        answer = user(words[0], READ if words[1] == "read" else None)
    elif command == "strict":
        authenticate(after=0)
    elif command == "lax":
        authenticate(after=1_000_000)
    elif command == "hold":
        held.clear()
        go.clear()
        hold_after = int(words[0])
    elif command == "held":
        held.wait()
    elif command == "go":
        go.set()
    elif command == "tls":
        answer = f"https://localhost:{serve(app, (words[0], words[1]))}"
    elif command == "machine":
        credentials = role(words[0], READ if words[1] == "read" else None)
        answer = f"http://127.0.0.1:{serve(machine(credentials))}\t{credentials['SecretAccessKey']}"
    else:
        answer = f"unknown command {command}"
    print(answer, flush=True)
