"""Says of each line of the standard input, SIDE and an object, whether it is valid by a schema: judge.py SCHEMA

A second opinion on tests/support/schema.rs, from a library that knows all of JSON Schema.
"""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)
judges = {
    side: Draft202012Validator({**schema, "anyOf": [{"$ref": f"#/$defs/{side}"}]}) for side in ("client", "server")
}
for line in sys.stdin:
    side, text = line.split(" ", 1)
    print("valid" if judges[side].is_valid(json.loads(text)) else "invalid", flush=True)
