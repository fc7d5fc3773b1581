"""Judges the inputs that warmd makes of real models' schemas, by rules of its own.

usage: judge.py MODELS_JSON PROGRAM [--list]

PROGRAM reads a line of JSON for each model, with its `schema` and its `example`, and answers each with a line that
has the `input`, the `shrunk` keys, or why it is `blocked`. `--list` names the models that fall short.
"""

import collections
import json
import os.path
import re
import subprocess
import sys
from urllib.parse import urlparse

from jsonschema import Draft7Validator, FormatChecker

KINDS = {
    "image": "png jpg jpeg jfif webp gif bmp tif tiff avif heic svg",
    "audio": "wav mp3 flac ogg oga opus m4a aac mpga weba",
    "video": "mp4 mov webm mkv avi m4v mpeg mpg",
    "text": "txt md",
}
KIND_OF = {ending: kind for kind, endings in KINDS.items() for ending in endings.split()}
# Names of what is paid for: how many, how long, how large.
COSTLY = re.compile(r"step|token|frame|iter|epoch|num_|number|batch|sample|width|height|size|resolution|pixels|duration"
                    r"|seconds|length|upscale|^scale$|count")
# The same words in names of what costs nothing, or the more the smaller it is.
FREE = re.compile(r"min_|minimum|start|end(?:_|$)|begin|skip|warmup|save|every|interval|guidance|threshold|sampler|penalty"
                  r"|quality|fps|rate|per_second|tile|tiling|speaker|crop|resample|downsample|scheduler|checkpointing|gradient"
                  r"|callback|lora|prompt|context|overlap|border|padding|font|temperature|image_num$")


def schema_of(document):
    """A model's schema of its input as JSON Schema: OpenAPI 3.0 says `nullable`, and knows no `definitions`."""
    def plain(value):
        if isinstance(value, list):
            return [plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        value = {key: plain(item) for key, item in value.items()}
        if isinstance(value.get("$ref"), str):
            value["$ref"] = value["$ref"].replace("#/components/schemas/", "#/definitions/")
            # Beside a reference, draft 7 heeds nothing.
            value = {"allOf": [{"$ref": value.pop("$ref")}], **value}
        for key in ("exclusiveMinimum", "exclusiveMaximum"):
            if isinstance(value.get(key), bool):
                bound = key.replace("exclusiveM", "m")
                if value.pop(key) and bound in value:
                    value[key] = value.pop(bound)
        if value.pop("nullable", False):
            value = {"anyOf": [value, {"type": "null"}]}
        return value

    schemas = plain(document["components"]["schemas"])
    return {**schemas["Input"], "definitions": schemas}


def fields_of(document):
    schemas = document["components"]["schemas"]
    properties = schemas["Input"].get("properties") or {}

    def flat(field):
        merged = dict(field)
        for part in field.get("allOf", []):
            referred = schemas.get(part.get("$ref", "").rsplit("/", 1)[-1], part)
            merged = {**referred, **merged}
        return merged

    return {name: flat(field) for name, field in properties.items()}


def is_file(field):
    return "uri" in (field.get("format"), (field.get("items") or {}).get("format"))


def first(value):
    return value[0] if isinstance(value, list) and value else value


def kind_of(value):
    """The kind of a file by its address or its data URL; none where neither tells."""
    value = first(value)
    if not isinstance(value, str):
        return None
    if value.startswith("data:"):
        return value[5:].split("/")[0]
    ending = os.path.splitext(urlparse(value).path)[1].lower().lstrip(".")
    return KIND_OF.get(ending, ending or None)


def wanted_kinds(name, field, example):
    """The kinds that are right for a file: the example's; else what the field says of itself."""
    shown = kind_of(example)
    if shown and not first(example).startswith("data:"):
        # A film has sound; what takes films as sound takes sound.
        return {shown, "audio"} if "audio" in name.lower() else {shown}
    said = f"{name} {field.get('description') or ''}".lower()
    words = {
        "image": r"imag|img|photo|picture|face|mask|canny|control",
        "audio": r"audio|sound|voice|speech|music|song",
        "video": r"video|movie",
        "text": r"text file|\.txt",
        "other": r"\bzip|\btar\b|pdf|html|ckpt|weights|csv|document",
    }
    return {kind for kind, pattern in words.items() if re.search(pattern, said)}


def is_right(value, name, field, example):
    if example is not None and first(value) == first(example):
        return True
    return kind_of(value) in wanted_kinds(name, field, example)


def is_costly(name, field):
    if field.get("type") not in ("integer", "number") and not field.get("enum"):
        return False
    if name.lower() == "scale" and "guidance" in (field.get("description") or "").lower():
        return False
    return bool(COSTLY.search(name.lower())) and not FREE.search(name.lower())


def is_large(field):
    """Whether its default is one that could be made smaller."""
    default, choices = field.get("default"), [c for c in field.get("enum", []) if isinstance(c, (int, float))]
    if isinstance(default, bool) or not isinstance(default, (int, float)) or default <= 1:
        return False
    least = min(choices) if choices else field.get("minimum", 1)
    return default > max(least, 1)


def inputs_of(models, with_examples):
    def line(model):
        example = model["default_example"]["input"] if with_examples else None
        return json.dumps({"schema": model["latest_version"]["openapi_schema"], "example": example}) + "\n"

    lines = "".join(map(line, models))
    done = subprocess.run([sys.argv[2]], input=lines, capture_output=True, text=True, check=True)
    made = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert len(made) == len(models), f"{len(made)} answers to {len(models)} models"
    return made


def without_examples(models):
    """Required files by the schema alone, as on a Cog server, against the kind of the example's file."""
    told = collections.Counter()
    for model, answer in zip(models, inputs_of(models, False)):
        document, example = model["latest_version"]["openapi_schema"], model["default_example"]["input"] or {}
        fields = fields_of(document)
        for key in document["components"]["schemas"]["Input"].get("required", []):
            if key not in fields or not is_file(fields[key]) or kind_of(example.get(key)) is None:
                continue
            if "blocked" in answer:
                told["asked of the user"] += f'"{key}"' in answer["blocked"]
            else:
                right = is_right(answer["input"][key], key, fields[key], example[key])
                told["of the right kind" if right else "of another kind"] += 1
                if not right and "--list" in sys.argv:
                    name = f"{model['owner']}/{model['name']}"
                    print("without the example", name, key, example[key], sep="\t")
    return told


def has_no_step(fields, sent):
    """Whether an image is changed in a share of its steps, and the share is none."""
    if not any(is_file(fields[key]) for key in sent if key in fields):
        return False
    steps = [sent[key] for key in sent if re.search(r"(^|_)steps$", key) and isinstance(sent[key], int)]
    for key, field in fields.items():
        named = re.fullmatch(r"(prompt|image|init|noise|img2img|inpaint(ing)?|denois(e|ing))?_?(strength|denois(e|ing))", key)
        strength = sent.get(key, field.get("default"))
        if named and field.get("maximum", 1) <= 1 and isinstance(strength, (int, float)) and 0 < strength < 1:
            if steps and int(max(steps) * strength) < 1:
                return True
    return False


def main():
    models = json.load(open(sys.argv[1]))
    made = inputs_of(models, True)
    blocked, invalid, wrong, large, slow = collections.Counter(), [], [], collections.Counter(), []
    files = shrunk = small_files = valid = no_step = 0
    known = {key for answer in made for key in answer.get("shrunk", [])}
    most_run = {id(m) for m in sorted(models, key=lambda m: -(m["run_count"] or 0))[:100]}
    for model, answer in zip(models, made):
        name, document = f"{model['owner']}/{model['name']}", model["latest_version"]["openapi_schema"]
        fields, example = fields_of(document), model["default_example"]["input"] or {}
        if "blocked" in answer:
            why = "a required secret" if "is a secret" in answer["blocked"] else "another reason"
            blocked[why] += 1
            if why == "another reason":
                invalid.append((name, "blocked", answer["blocked"]))
            continue
        sent = answer["input"]
        errors = list(Draft7Validator(schema_of(document), format_checker=FormatChecker()).iter_errors(sent))
        valid += not errors
        if errors:
            invalid.append((name, errors[0].json_path, errors[0].message[:120]))
        shrunk += bool(answer["shrunk"])
        no_step += has_no_step(fields, sent)
        required = set(document["components"]["schemas"]["Input"].get("required", []))
        # What has a default, the model brings itself.
        open_files = [key for key in fields if is_file(fields[key]) and not fields[key].get("default")]
        needed = [key for key in open_files if key in required]
        needed = needed or [key for key in open_files if example.get(key)]
        for key in needed:
            files += 1
            if key not in sent or not is_right(sent[key], key, fields[key], example.get(key)):
                wrong.append((name, key, str(sent.get(key))[:40], str(first(example.get(key)))[:80]))
        if id(model) in most_run:
            for key, field in fields.items():
                small = key in answer["shrunk"] or key in required
                if is_costly(key, field) and is_large(field) and not small:
                    large[key] += 1
        took = (model["default_example"].get("metrics") or {}).get("predict_time") or 0
        small_file = any(str(first(sent[key])).startswith("data:") and example.get(key) for key in sent)
        small_files += small_file
        if not answer["shrunk"]:
            slow.append((took, small_file, name))

    def over(seconds, with_files):
        return sum(took > seconds and (with_files or not small_file) for took, small_file, _ in slow)

    unknown = [key for key in large if key not in known]
    in_all, secrets = len(models), blocked["a required secret"]
    rows = [
        ("models", in_all),
        ("blocked for a required secret", secrets),
        ("blocked for another reason", blocked["another reason"]),
        ("inputs made", in_all - sum(blocked.values())),
        ("inputs that the validator takes", valid),
        ("valid, of all that are not blocked for a secret", f"{100 * valid / (in_all - secrets):.2f} %"),
        ("models for which something is made small", shrunk),
        ("required or needed files", files),
        ("of them of the right kind", f"{files - len(wrong)} ({100 * (files - len(wrong)) / files:.1f} %)"),
        ("models that change an image in less than one step", no_step),
        ("models sent a small file in place of the example's", small_files),
        ("of the hundred most run: names of knobs not known", len(unknown)),
        ("no knob made small, and an example over 7.5 s", over(7.5, True)),
        ("no knob made small, and an example over 30 s", over(30, True)),
        ("no knob and no file made small, and over 7.5 s", over(7.5, False)),
        ("no knob and no file made small, and over 30 s", over(30, False)),
    ]
    rows += [(f"required files, the example unseen: {what}", told) for what, told in without_examples(models).items()]
    for what, figure in rows:
        print(f"{what:<52}{figure:>18}")
    print("not known:", ", ".join(unknown) or "none")
    print("left large:", ", ".join(f"{key} ({count})" for key, count in large.most_common()) or "none")
    if "--list" in sys.argv:
        for what, rows in (("invalid", invalid), ("wrong file", wrong)):
            for row in rows:
                print(what, *row, sep="\t")


if __name__ == "__main__":
    main()
