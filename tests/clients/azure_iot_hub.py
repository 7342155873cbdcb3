"""Azure's service SDK for Python, obeying: a JSON command a line on stdin, an answer on stdout.

A command is {"call": method of IoTHubRegistryManager, "args": [...]}; with "of" it is one of that
manager instead: "http_runtime" or "job". An object with "model" in it becomes the SDK's model of
that name, made of its "fields". The answer is {"result": ...}, or {"refused": status} when the hub
refused. "error" means that the command could not be carried out. What receives feedback gives
nothing back in this SDK: its answer is what came over the wire, as the SDK has it.
"""
import json
import os
import sys

from azure.iot.hub import (
    IoTHubHttpRuntimeManager,
    IoTHubJobManager,
    IoTHubRegistryManager,
    models,
)
from msrest.exceptions import HttpOperationError


def thaw(value):
    if isinstance(value, dict):
        if "model" in value:
            return getattr(models, value["model"])(**thaw(value["fields"]))
        return {key: thaw(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [thaw(inner) for inner in value]
    return value


def freeze(value):
    if hasattr(value, "as_dict"):
        return value.as_dict(keep_readonly=True)
    if isinstance(value, (list, tuple)):
        return [freeze(inner) for inner in value]
    if hasattr(value, "items") and not isinstance(value, dict):
        token = getattr(value, "continuation_token", None)
        return {"items": freeze(value.items), "continuation": token}
    return value


def received(manager):
    """As receive_feedback_notification() asks, with what it then drops."""
    operations = manager.protocol.cloud_to_device_messages
    response = operations.receive_feedback_notification(raw=True).response
    body = response.json() if response.status_code == 200 else None
    headers = {name.lower(): value for name, value in response.headers.items()}
    return {"status": response.status_code, "headers": headers, "body": body}


def carry_out(managers, command):
    try:
        manager = managers[command.get("of", "registry")]
        if command["call"] == "receive_feedback_notification" and command.get("raw"):
            return {"result": received(manager)}
        method = getattr(manager, command["call"])
        return {"result": freeze(method(*thaw(command.get("args", []))))}
    except HttpOperationError as refused:
        return {"refused": refused.response.status_code}
    except Exception as error:  # The test says what it expected.
        return {"error": repr(error)}


def main():
    os.environ["REQUESTS_CA_BUNDLE"] = sys.argv[2]
    os.environ["NO_PROXY"] = "*"
    managers = {
        "registry": IoTHubRegistryManager.from_connection_string(sys.argv[1]),
        "http_runtime": IoTHubHttpRuntimeManager.from_connection_string(sys.argv[1]),
        "job": IoTHubJobManager.from_connection_string(sys.argv[1]),
    }
    for line in sys.stdin:
        print(json.dumps(carry_out(managers, json.loads(line)), default=str), flush=True)


main()
