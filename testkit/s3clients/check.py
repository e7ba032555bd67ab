"""Drives "templar store serve" with clients that we did not write, and prints what differs from a
model of S3. See README.md."""
import argparse, base64, datetime, hashlib, json, os, pathlib, random, re, shutil, string, subprocess, sys, tempfile, urllib.parse, urllib.request, zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

KEY, SECRET, BUCKET = "owner", "owner-secret-0123456789", "alice"
failures, inputs = [], 0


def differ(what, got, want):
    """Counts one input, and prints it when it is not as it should be."""
    global inputs
    inputs += 1
    if got != want:
        failures.append(what)
        print(f"DIFFERS {what}\n    got  {got!r:.300}\n    want {want!r:.300}")


def code(do):
    """The error code of a call, or None."""
    try:
        do()
    except ClientError as e:
        return e.response["Error"]["Code"]


class Server:
    def __init__(self, program):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        conf = self.dir / "store.json"
        conf.write_text(json.dumps({"dir": str(self.dir / "objects"), "buckets": [BUCKET, "bob"],
                                    "keys": [{"id": KEY, "secret": SECRET, "admin": True}]}))
        conf.chmod(0o600)
        self.log = open(self.dir / "log", "w+")
        self.process = subprocess.Popen([program, "store", "serve", "--config", str(conf), "--addr", "127.0.0.1:0"], stdout=self.log, stderr=self.log)
        for _ in range(100):
            if m := re.search(r"http://[0-9.:]+", (self.dir / "log").read_text()):
                self.endpoint = m[0]
                return
            subprocess.run(["sleep", "0.1"])
        sys.exit("the server did not start: " + (self.dir / "log").read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir)

    def client(self, **config):
        config = {"signature_version": "s3v4", "retries": {"max_attempts": 1}, **config}
        return boto3.client("s3", endpoint_url=self.endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1", config=Config(**config))


def some_key(r):
    alphabet = string.ascii_letters + string.digits + "-_.~!*'()/ +&=@,;:$%#?\"<>[]{}|^`\\" + "äß中🎈é\u0301"
    while True:
        key = "".join(r.choice(alphabet) for _ in range(r.randint(1, 40)))
        if key.strip() and not key.startswith("/"):
            return key


def some_range(r, n):
    """A Range header, and the bytes that it stands for: None for the whole, "416" for none."""
    big = r.choice([n, n + 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 10**30])
    a, b = r.randint(0, n + 3), r.randint(0, n + 3)
    kind = r.randint(0, 8)
    if kind == 0:
        return f"bytes={a}-{b}", (None if b < a else "416" if a >= n else (a, min(b, n - 1)))
    if kind == 1:
        return f"bytes={a}-", ("416" if a >= n else (a, n - 1))
    if kind == 2:
        return f"bytes=-{a}", ("416" if a == 0 else None if n == 0 else (max(0, n - a), n - 1))
    if kind == 3:
        return f"bytes=-{big}", ("416" if big == 0 else None if n == 0 else (max(0, n - big), n - 1))
    if kind == 4:
        return f"bytes={a}-{a + big}", ("416" if a >= n else (a, n - 1 if a + big >= n else a + big))
    if kind == 5:
        return f"bytes={big}-", ("416" if big >= n else (big, n - 1))
    return r.choice(["bytes", "bytes=", "bytes=-", "bytes=x-y", f"bytes={a}", "lines=0-1", "bytes=1-2-3", "bytes=--1", "bytes=0-0,2-3", "0-5", "bytes=1.5-2"]), None


def check_ranges(s3, r, count):
    for i in range(count):
        body = os.urandom(r.choice([0, 1, 2, 10, 1000]))
        key = "range/" + some_key(r)
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        header, want = some_range(r, len(body))
        for method in ("get_object", "head_object"):
            what = f"{method} {key!r} of {len(body)} bytes, Range: {header}"
            try:
                got = getattr(s3, method)(Bucket=BUCKET, Key=key, Range=header)
            except ClientError as e:
                differ(what, str(e.response["ResponseMetadata"]["HTTPStatusCode"]), want)
                continue
            status, length = got["ResponseMetadata"]["HTTPStatusCode"], got["ContentLength"]
            data = got["Body"].read() if method == "get_object" else None
            if want is None:
                differ(what, (status, length, got.get("ContentRange"), data), (200, len(body), None, body if data is not None else None))
            elif want == "416":
                differ(what, status, 416)
            else:
                part = body[want[0]:want[1] + 1]
                differ(what, (status, length, got.get("ContentRange"), data), (206, len(part), f"bytes {want[0]}-{want[1]}/{len(body)}", part if data is not None else None))


def check_objects(s3, r, count):
    """Puts and gets with all that belongs to an object, in the ways that boto3 sends bodies."""
    for i in range(count):
        key, body = "object/" + some_key(r), os.urandom(r.choice([0, 1, 100, 70_000]))
        extra = {}
        if r.random() < 0.5:
            extra["Metadata"] = {f"k{j}": "".join(r.choice(string.printable[:94]) for _ in range(r.randint(1, 20))).strip() or "x" for j in range(r.randint(1, 3))}
        for name, values in {"ContentType": ["text/plain", "application/x-y"], "ContentEncoding": ["gzip", "gzip,br", "identity"], "CacheControl": ["no-store"],
                             "ContentDisposition": ['attachment; filename="x"'], "ContentLanguage": ["de"], "ChecksumAlgorithm": ["CRC32", "SHA1", "SHA256"], "StorageClass": ["STANDARD"], "ACL": ["private"]}.items():
            if r.random() < 0.3:
                extra[name] = r.choice(values)
        if r.random() < 0.2:
            extra["ContentMD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
            extra.pop("ChecksumAlgorithm", None)
        put = s3.put_object(Bucket=BUCKET, Key=key, Body=body, **extra)
        got = s3.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        kept = {k: v for k, v in extra.items() if k not in ("ContentMD5", "ChecksumAlgorithm", "StorageClass", "ACL")}
        differ(f"object {key!r} {extra}", ({k: got.get(k) for k in kept}, got["Body"].read(), got["ETag"]), (kept, body, f'"{hashlib.md5(body).hexdigest()}"'))
        if a := extra.get("ChecksumAlgorithm"):
            differ(f"checksum of {key!r}", got.get("Checksum" + a), put.get("Checksum" + a))


def check_promises(s3, r, count):
    """What this server does not do is refused, on every path that could carry it."""
    s3.put_object(Bucket=BUCKET, Key="promise", Body=b"x")
    source = {"Bucket": BUCKET, "Key": "promise"}
    paths = {
        "put": lambda **k: s3.put_object(Bucket=BUCKET, Key="refused", Body=b"y", **k),
        "copy": lambda **k: s3.copy_object(Bucket=BUCKET, Key="refused", CopySource=source, **k),
        "create": lambda **k: s3.create_multipart_upload(Bucket=BUCKET, Key="refused", **k),
    }
    promises = [{"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}, {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, {"ACL": "public-read"},
                {"Tagging": "a=b"}, {"StorageClass": "GLACIER"}, {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime.datetime(2040, 1, 1)}, {"GrantRead": "id=x"},
                {"WebsiteRedirectLocation": "/x"}, {"ExpectedBucketOwner": "123456789012"}, {"ObjectLockLegalHoldStatus": "ON"}]
    for i in range(count):
        name, extra = r.choice(list(paths)), r.choice(promises)
        if "SSECustomerKey" in extra:  # boto3 sends it over https only
            continue
        differ(f"{name} with {extra}", code(lambda: paths[name](**extra)), "NotImplemented")
    differ("refused, and not there", code(lambda: s3.head_object(Bucket=BUCKET, Key="refused")), "404")


def check_conditions(s3, r, count):
    for i in range(count):
        key, old, new = f"condition/{i}", os.urandom(10), os.urandom(11)
        exists = r.random() < 0.7
        if exists:
            s3.put_object(Bucket=BUCKET, Key=key, Body=old)
        s3.put_object(Bucket=BUCKET, Key=key + "-source", Body=new)
        tag, other = f'"{hashlib.md5(old).hexdigest()}"', '"' + "0" * 32 + '"'
        condition, holds, refusal = r.choice([({"IfNoneMatch": "*"}, not exists, "PreconditionFailed"), ({"IfMatch": tag}, exists, "PreconditionFailed" if exists else "NoSuchKey"),
                                              ({"IfMatch": other}, False, "PreconditionFailed" if exists else "NoSuchKey")])
        way = r.choice(["put", "copy", "complete"])
        if way == "put":
            do = lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=new, **condition)
        elif way == "copy":
            do = lambda: s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": key + "-source"}, **condition)
        else:
            def do():
                u = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
                p = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=u, PartNumber=1, Body=new)
                s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": p["ETag"]}]}, **condition)
        differ(f"{way} {key} exists={exists} {condition}", code(do), None if holds else refusal)
        now = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() if code(lambda: s3.head_object(Bucket=BUCKET, Key=key)) is None else None
        differ(f"{way} {key} afterwards", now, new if holds else old if exists else None)
        since = datetime.datetime(2001, 1, 1)
        differ(f"copy {key} with a condition on its source", code(lambda: s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": key + "-source"}, CopySourceIfUnmodifiedSince=since)), "PreconditionFailed")


def check_listings(s3, r, count):
    names = ["".join(r.choice("ab/-~ü&<\u00e9") for _ in range(r.randint(1, 6))) for _ in range(120)]
    keys = sorted({"list/" + n for n in names}, key=lambda k: k.encode())
    for k in keys:
        s3.put_object(Bucket=BUCKET, Key=k, Body=k.encode())
    for i in range(count):
        prefix = "list/" + r.choice(["", "a", "b/", "zz", "ü", "a/b"])
        delimiter, size = r.choice(["", "", "/", "-", "ü"]), r.choice([1, 2, 7, 1000])
        want, seen = [], set()
        for k in (k for k in keys if k.startswith(prefix)):
            at = k.find(delimiter, len(prefix)) if delimiter else -1
            item = k if at < 0 else k[:at + len(delimiter)]
            if item not in seen:
                seen.add(item)
                want.append(item)
        for version in ("list_objects", "list_objects_v2"):
            args = {"Bucket": BUCKET, "Prefix": prefix, "Delimiter": delimiter}
            got, counts = [], 0
            for page in s3.get_paginator(version).paginate(PaginationConfig={"PageSize": size}, **args):
                items = [o["Key"] for o in page.get("Contents", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                counts += page.get("KeyCount", len(items))
                got += items
            differ(f"{version} {args} by {size}", (sorted(got, key=lambda k: k.encode()), counts), (sorted(want, key=lambda k: k.encode()), len(want)))
    page = s3.list_objects_v2(Bucket=BUCKET, Prefix="list/", MaxKeys=0)
    differ("max-keys=0", (page["KeyCount"], page["IsTruncated"], page.get("Contents")), (0, False, None))
    gone = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": k} for k in keys]})
    differ("bulk delete", (sorted(d["Key"] for d in gone["Deleted"]), gone.get("Errors")), (sorted(keys), None))


def check_parts(s3, r, count):
    for i in range(count):
        key, parts = f"parts/{i}", [os.urandom(r.choice([5 << 20, (5 << 20) + 1]))] * r.randint(0, 1) + [os.urandom(r.randint(1, 1000))]
        extra = r.choice([{}, {"ChecksumAlgorithm": "CRC32"}, {"ChecksumAlgorithm": "SHA256"}, {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}])
        u = s3.create_multipart_upload(Bucket=BUCKET, Key=key, **extra)["UploadId"]
        done = []
        for n, p in enumerate(parts, 1):
            got = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=u, PartNumber=n, Body=p, **({"ChecksumAlgorithm": extra["ChecksumAlgorithm"]} if extra else {}))
            done.append({"PartNumber": n, **{k: v for k, v in got.items() if k in ("ETag", "ChecksumCRC32", "ChecksumSHA256")}})
        listed = s3.list_parts(Bucket=BUCKET, Key=key, UploadId=u)
        differ(f"parts of {key}", [(p["PartNumber"], p["Size"]) for p in listed["Parts"]], [(n, len(p)) for n, p in enumerate(parts, 1)])
        none = s3.list_parts(Bucket=BUCKET, Key=key, UploadId=u, MaxParts=0)
        differ("max-parts=0", (none.get("Parts"), none["IsTruncated"]), (None, False))
        whole = {}
        if "ChecksumType" in extra:
            whole = {"ChecksumType": "FULL_OBJECT", "ChecksumCRC32": base64.b64encode(zlib.crc32(b"".join(parts)).to_bytes(4, "big")).decode()}
            wrong = {**whole, "ChecksumCRC32": "AAAAAA=="}
            differ(f"{key} with another checksum", code(lambda: s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=u, MultipartUpload={"Parts": done}, **wrong)), "BadDigest")
        bad = [{**d, "ETag": '"' + "0" * 32 + '"'} for d in done]
        differ(f"{key} with other parts", code(lambda: s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=u, MultipartUpload={"Parts": bad})), "InvalidPart")
        s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=u, MultipartUpload={"Parts": done}, **whole)
        got = s3.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        tag = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
        differ(f"{key} joined", (got["Body"].read() == b"".join(parts), got["ETag"]), (True, f'"{tag}-{len(parts)}"'))
        copied = s3.create_multipart_upload(Bucket=BUCKET, Key=key + "-copy")["UploadId"]
        p = s3.upload_part_copy(Bucket=BUCKET, Key=key + "-copy", UploadId=copied, PartNumber=1, CopySource={"Bucket": BUCKET, "Key": key}, CopySourceRange="bytes=1-99" if len(parts) > 1 else f"bytes=0-{len(parts[0]) - 1}")
        s3.complete_multipart_upload(Bucket=BUCKET, Key=key + "-copy", UploadId=copied, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": p["CopyPartResult"]["ETag"]}]})
        want = b"".join(parts)[1:100] if len(parts) > 1 else parts[0]
        differ(f"{key} copied by parts", s3.get_object(Bucket=BUCKET, Key=key + "-copy")["Body"].read(), want)


def check_copies(s3, r, count):
    for i in range(count):
        src, dst, body = "copy/ä +%" + some_key(r), "copied/" + some_key(r), os.urandom(50)
        s3.put_object(Bucket=BUCKET, Key=src, Body=body, Metadata={"a": "1"}, ContentType="text/x", ChecksumAlgorithm="SHA256")
        replace = r.random() < 0.5
        extra = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}, "ContentType": "text/y"} if replace else {}
        s3.copy_object(Bucket="bob", Key=dst, CopySource={"Bucket": BUCKET, "Key": src}, **extra)
        got = s3.get_object(Bucket="bob", Key=dst)
        differ(f"copy of {src!r} replace={replace}", (got["Body"].read(), got["Metadata"], got["ContentType"]), (body, {"b": "2"} if replace else {"a": "1"}, "text/y" if replace else "text/x"))
    differ("copy of nothing", code(lambda: s3.copy_object(Bucket="bob", Key="x", CopySource={"Bucket": BUCKET, "Key": "nothing"})), "NoSuchKey")


def fetch(url, method="GET", body=None, headers={}):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, data=body, headers=headers)) as a:
            return a.status, a.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def check_presigned(server, s3, r, count):
    for i in range(count):
        key, body = "presigned/" + some_key(r), os.urandom(20)
        url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key, "Metadata": {"a": "b"}})
        differ(f"presigned put of {key!r}", fetch(url, "PUT", body, {"x-amz-meta-a": "b"})[0], 200)
        differ(f"presigned get of {key!r}", fetch(s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}))[1], body)
        differ(f"metadata of {key!r}", s3.head_object(Bucket=BUCKET, Key=key)["Metadata"], {"a": "b"})
        typed = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key, "ResponseContentType": "text/z"})
        differ(f"presigned get with an override", fetch(typed)[0], 200)
    old = server.client(signature_version="s3").generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "x"})
    status, answer = fetch(old)
    differ("presigned with Version 2", (status, b"Version 4" in answer), (400, True))
    status, answer = fetch(s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "x"}, ExpiresIn=1).replace("X-Amz-Expires=1", "X-Amz-Expires=0"))
    differ("an expiry of 0", (status, b"X-Amz-Expires" in answer), (400, True))


def flow_boto3(server, s3):
    """boto3's own transfers, which split large files and send checksums in trailers."""
    big = server.dir / "big"
    big.write_bytes(os.urandom(18 << 20))
    config = TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=6 << 20)
    for extra in ({}, {"ChecksumAlgorithm": "SHA256"}, {"ContentEncoding": "gzip"}):
        s3.upload_file(str(big), BUCKET, "big", ExtraArgs=extra, Config=config)
        s3.download_file(BUCKET, "big", str(server.dir / "back"), Config=config)
        differ(f"upload_file {extra}", (server.dir / "back").read_bytes() == big.read_bytes(), True)
        differ("its encoding", s3.head_object(Bucket=BUCKET, Key="big").get("ContentEncoding"), extra.get("ContentEncoding"))
    s3.copy({"Bucket": BUCKET, "Key": "big"}, "bob", "big", Config=config)
    differ("copy in parts", s3.get_object(Bucket="bob", Key="big")["Body"].read() == big.read_bytes(), True)
    differ("no bucket", code(lambda: s3.list_objects_v2(Bucket="nonesuch")), "NoSuchBucket")
    s3.create_bucket(Bucket="carol")
    differ("buckets", sorted(b["Name"] for b in s3.list_buckets()["Buckets"]), ["alice", "bob", "carol"])
    s3.delete_bucket(Bucket="carol")


def run(*args):
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    return p.returncode, p.stdout + p.stderr


def flow_s3cmd(server):
    tool = pathlib.Path(sys.executable).parent / "s3cmd"
    host = server.endpoint.removeprefix("http://")
    base = [tool, "--access_key", KEY, "--secret_key", SECRET, "--host", host, "--host-bucket", host, "--no-ssl", "-c", "/dev/null", "--no-progress"]
    tree = server.dir / "tree"
    (tree / "sub").mkdir(parents=True)
    for name, size in {"a b": 10, "sub/ü&": 1000, "big": 17 << 20, "empty": 0}.items():
        (tree / name).write_bytes(os.urandom(size))
    s3cmd = lambda *a: run(*base, *a)
    for args in (["ls"], ["put", "--multipart-chunk-size-mb=5", tree / "big", "s3://alice/cmd/big"], ["info", "s3://alice/cmd/big"], ["info", "s3://alice"],
                 ["sync", f"{tree}/", "s3://alice/cmd/tree/"], ["get", "--force", "s3://alice/cmd/big", server.dir / "cmdback"], ["cp", "s3://alice/cmd/big", "s3://bob/cmd/big"],
                 ["mv", "s3://bob/cmd/big", "s3://bob/cmd/moved"], ["ls", "-r", "s3://alice/cmd/"], ["du", "s3://alice"], ["modify", "--add-header=x-amz-meta-z:1", "s3://bob/cmd/moved"],
                 ["multipart", "s3://alice"], ["mb", "s3://dave"], ["rb", "s3://dave"]):
        status, out = s3cmd(*args)
        differ(f"s3cmd {' '.join(map(str, args))}", (status, "ERROR" in out or "WARNING: MD5" in out, out if status else ""), (0, False, ""))
    differ("s3cmd get", (server.dir / "cmdback").read_bytes() == (tree / "big").read_bytes(), True)
    (server.dir / "synced").mkdir()
    differ("s3cmd sync back", s3cmd("sync", "s3://alice/cmd/tree/", f"{server.dir}/synced/")[0], 0)
    differ("trees", run("diff", "-r", tree, server.dir / "synced"), (0, ""))
    differ("s3cmd sync again does nothing", "upload:" in s3cmd("sync", f"{tree}/", "s3://alice/cmd/tree/")[1], False)
    differ("s3cmd del", s3cmd("del", "-r", "--force", "s3://alice/cmd/")[0], 0)
    status, out = s3cmd("put", "--acl-public", tree / "a b", "s3://alice/public")
    differ("s3cmd public", (status != 0, "X-Amz-Acl" in out), (True, True))
    status, out = s3cmd("--signature-v2", "ls", "s3://alice")
    differ("s3cmd Version 2", (status != 0, "Version 4" in out), (True, True))


def flow_rclone(server):
    tool = os.environ.get("RCLONE") or shutil.which("rclone")
    if not tool:
        print("rclone is not installed: its flow is left out")
        return
    env = {"RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_T_TYPE": "s3", "RCLONE_CONFIG_T_PROVIDER": "Other", "RCLONE_CONFIG_T_ENDPOINT": server.endpoint,
           "RCLONE_CONFIG_T_ACCESS_KEY_ID": KEY, "RCLONE_CONFIG_T_SECRET_ACCESS_KEY": SECRET, "RCLONE_CONFIG_T_CHUNK_SIZE": "5Mi", "RCLONE_CONFIG_T_UPLOAD_CUTOFF": "6Mi", "RCLONE_CONFIG_T_COPY_CUTOFF": "6Mi"}
    os.environ.update(env)
    os.environ.pop("AWS_CA_BUNDLE", None)  # which rclone 1.60 cannot take, and which http needs not
    tree, back = server.dir / "rtree", server.dir / "rback"
    (tree / "sub dir").mkdir(parents=True)
    for name, size in {"a": 10, "sub dir/ü&+": 1000, "big": 17 << 20, "empty": 0}.items():
        (tree / name).write_bytes(os.urandom(size))
    for args in (["lsd", "t:"], ["sync", tree, "t:alice/r"], ["check", tree, "t:alice/r"], ["copy", "t:alice/r", back], ["sync", "t:alice/r", "t:bob/r"], ["check", tree, "t:bob/r"],
                 ["touch", "--timestamp", "2020-01-01T00:00:00", "t:alice/r/a"], ["lsl", "t:alice/r"], ["move", "t:bob/r/big", "t:bob/s"], ["size", "t:alice"], ["delete", "t:alice/r/a"], ["purge", "t:bob/r"],
                 ["mkdir", "t:erin"], ["rmdir", "t:erin"], ["cleanup", "t:alice"]):
        status, out = run(tool, "--retries", "1", *args)
        differ(f"rclone {' '.join(map(str, args))}", (status, "ERROR" in out, out if status else ""), (0, False, ""))
    differ("trees", run("diff", "-r", tree, back), (0, ""))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--inputs", type=int, default=500)
    a = p.parse_args()
    r = random.Random(a.seed)
    n = max(1, a.inputs // 10)
    server = Server(os.environ.get("TEMPLAR", "templar"))
    try:
        for config in ({}, {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}, {"s3": {"payload_signing_enabled": True}}):
            s3 = server.client(**config)
            check_objects(s3, r, n // 3 + 1)
        s3 = server.client()
        check_ranges(s3, r, n)
        check_promises(s3, r, n)
        check_conditions(s3, r, n // 2)
        check_listings(s3, r, n)
        check_parts(s3, r, max(1, n // 6))
        check_copies(s3, r, n // 2)
        check_presigned(server, s3, r, n // 4)
        flow_boto3(server, s3)
        flow_s3cmd(server)
        flow_rclone(server)
    finally:
        server.stop()
    print(f"{inputs} inputs, {len(failures)} differences")
    return bool(failures)


sys.exit(main())
