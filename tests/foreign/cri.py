"""A day of a kubelet: a pod with one container, by the runtime handler `tested` of containerd's CRI.

    cri.py SOCKET IMAGE CGROUP_PARENT LOG_DIRECTORY

Needs python3-grpcio. The messages are written by their field numbers (runtime/v1/api.proto of
kubernetes/cri-api), so that no generated code is needed. Prints one line a step; the caller checks them.
"""

import sys

import grpc

socket, image, parent, logs = sys.argv[1:]
channel = grpc.insecure_channel("unix:" + socket)


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(*fields):
    """(number, value) pairs; a value is a number, a text, bytes, or a message that was made so."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def fields(data):
    """The last value of each field."""
    found, at = {}, 0

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            found[key >> 3] = number()
        else:
            length = number()
            found[key >> 3] = data[at:at + length]
            at += length
    return found


def call(name, *request):
    method = channel.unary_unary("/runtime.v1.RuntimeService/" + name)
    return fields(method(message(*request), timeout=60))


NODE = 2  # the network of the host: no CNI plugin is needed
options = message((1, NODE), (2, 0), (3, 0))
pod_config = message(
    (1, message((1, "pod"), (2, "uid"), (3, "default"))),
    (3, logs),
    (8, message((1, parent), (2, message((1, options))))),
)
pod = call("RunPodSandbox", (1, pod_config), (2, "tested"))[1]
print("pod runs", flush=True)

script = "echo logged; trap 'exit 4' TERM; while :; do sleep 0.1; done"
container_config = message(
    (1, message((1, "main"))),
    (2, message((1, image))),
    (3, "/bin/sh"),
    (4, "-c"),
    (4, script),
    (11, "main.log"),
    (15, message((1, message((3, 512), (4, 64 << 20))))),
)
container = call("CreateContainer", (1, pod), (2, container_config), (3, pod_config))[1]
call("StartContainer", (1, container))
state = fields(call("ContainerStatus", (1, container))[1]).get(3, 0)
print("container is in state", state, flush=True)

answer = call("ExecSync", (1, container), (2, "/bin/sh"), (2, "-c"), (2, "echo inside; exit 3"), (3, 30))
print("exec said", answer[1].decode().strip(), "and ended with", answer[3], flush=True)

call("UpdateContainerResources", (1, container), (2, message((4, 48 << 20))))
print("limits changed", flush=True)
stats = fields(call("ContainerStats", (1, container))[1])
print("stats tell", "memory" if 3 in stats else "nothing", flush=True)
call("StopContainer", (1, container), (2, 10))
status = fields(call("ContainerStatus", (1, container))[1])
print("container ended with", status.get(7, 0), flush=True)
call("RemoveContainer", (1, container))
call("StopPodSandbox", (1, pod))
call("RemovePodSandbox", (1, pod))
print("all is gone", flush=True)
