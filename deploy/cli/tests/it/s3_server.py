"""An S3 server for the tests: moto, which checks signatures and rights once `strict` was said.

It prints its address, then answers each line of its input (words parted by tabs) with one line.
"""

import sys
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://127.0.0.1:{port}"
common = {
    "endpoint_url": endpoint,
    "region_name": "us-east-1",
    "aws_access_key_id": "root",
    "aws_secret_access_key": "root",
}
s3, iam = boto3.client("s3", **common), boto3.client("iam", **common)
s3.create_bucket(Bucket="clinical")
print(endpoint, flush=True)


def user(name, policy):
    iam.create_user(UserName=name)
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"] + "\t" + key["SecretAccessKey"]


def authenticate(after):
    data, headers = str(after).encode(), {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(endpoint + "/moto-api/reset-auth", data, headers)).read()


READ = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],'
    ' "Resource": "*"}]}'
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
    else:
        answer = f"unknown command {command}"
    print(answer, flush=True)
