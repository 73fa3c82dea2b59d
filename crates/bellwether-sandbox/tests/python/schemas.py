"""Checks JSON against the schemas of a Google discovery document. Unknown fields are errors."""

import base64
import re


class Schemas:
    """The schemas and methods of one discovery document."""

    def __init__(self, document):
        self.schemas = document["schemas"]
        self.responses = {}
        self._methods(document)

    def _methods(self, node):
        for method in node.get("methods", {}).values():
            self.responses[method["id"]] = method.get("response", {}).get("$ref")
        for resource in node.get("resources", {}).values():
            self._methods(resource)

    def check_answer(self, method, value):
        """Gives the list of what is wrong with the answer of a method."""
        name = self.responses[method]
        if name is None or name == "Empty":
            empty = value in ("", b"", {}, None)
            return [] if empty else [f"{method}: must be empty, is {value!r}"]
        return self.check({"$ref": name}, value, method)

    def check(self, schema, value, where):
        if "$ref" in schema:
            return self._object(self.schemas[schema["$ref"]], value, where)
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, value, where)
        if kind == "array":
            if not isinstance(value, list):
                return [f"{where}: must be a list"]
            wrong = [] if value else [f"{where}: an empty list must be absent"]
            for n, item in enumerate(value):
                wrong += self.check(schema["items"], item, f"{where}[{n}]")
            return wrong
        return self._scalar(schema, kind, value, where)

    def _object(self, schema, value, where):
        if not isinstance(value, dict):
            return [f"{where}: must be an object"]
        wrong = []
        known = schema.get("properties", {})
        for name, member in value.items():
            if name in known:
                wrong += self.check(known[name], member, f"{where}.{name}")
            elif "additionalProperties" in schema:
                wrong += self.check(schema["additionalProperties"], member, f"{where}.{name}")
            else:
                wrong.append(f"{where}.{name}: is not in the schema")
        return wrong

    def _scalar(self, schema, kind, value, where):
        good = {
            "string": lambda: isinstance(value, str),
            "boolean": lambda: isinstance(value, bool),
            "integer": lambda: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda: isinstance(value, (int, float)) and not isinstance(value, bool),
            "any": lambda: True,
        }[kind]()
        if not good:
            return [f"{where}: must be {kind}, is {value!r:.80}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{where}: {value!r} is not one of {schema['enum']}"]
        return self._format(schema.get("format"), value, where)

    @staticmethod
    def _format(name, value, where):
        if name == "uint64" and not re.fullmatch(r"[0-9]{1,20}", value):
            return [f"{where}: {value!r} is no uint64 in text"]
        if name == "int64" and not re.fullmatch(r"-?[0-9]{1,19}", value):
            return [f"{where}: {value!r} is no int64 in text"]
        if name in ("int32", "uint32"):
            low, high = (0, 2**32) if name == "uint32" else (-(2**31), 2**31)
            if not low <= value < high:
                return [f"{where}: {value} is no {name}"]
        if name == "byte":
            try:
                base64.b64decode(value, altchars=b"-_", validate=True)
            except ValueError:
                return [f"{where}: is not base64"]
        if name == "google-datetime" and not re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value
        ):
            return [f"{where}: {value!r} is no time"]
        return []
