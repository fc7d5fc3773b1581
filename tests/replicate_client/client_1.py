"""The official client, 1.0.7, uses the sandbox as if it were Replicate."""

import io

import replicate
from replicate.exceptions import ModelError, ReplicateError

from bench import ORIGIN, VERSION, fault, run_all

client = replicate.Client(api_token="good", base_url=ORIGIN)
client.poll_interval = 0.05


def refused(status, call):
    try:
        call()
    except ReplicateError as error:
        assert error.status == status, error
        return error
    raise AssertionError(f"no error, where {status} was expected")


def check_run_of_a_version_gives_files():
    output = client.run(f"acme/images:{VERSION}", input={"prompt": "a cat", "num_outputs": 1})
    assert len(output) == 1
    assert output[0].read().startswith(b"\x89PNG"), output


def check_run_of_an_official_model_gives_text():
    assert "".join(client.run("official/chat", input={"prompt": "hi"})) == "warm words"


def check_run_of_an_iterator_by_version():
    version = client.models.get("acme/text").latest_version
    assert "".join(client.run(version, input={"prompt": "hi"})) == "warm words"


def check_create_wait_reload():
    prediction = client.predictions.create(version=VERSION, input={"prompt": "hi", "unknown": 1})
    assert prediction.status == "starting" and prediction.output is None
    assert prediction.input == {"prompt": "hi"}, prediction.input
    assert prediction.metrics is None and prediction.completed_at is None
    prediction.wait()
    assert prediction.status == "succeeded" and prediction.output, prediction
    assert prediction.metrics["predict_time"] > 0 and prediction.metrics["total_time"] > 0
    assert prediction.started_at and prediction.completed_at.endswith("Z")
    again = client.predictions.get(prediction.id)
    assert again.output == prediction.output and again.model == "acme/images" and again.version == VERSION


def check_a_wait_that_suffices_replies_at_once_and_tells_no_times():
    prediction = client.predictions.create(version=VERSION, input={"prompt": "hi"}, wait=30)
    assert prediction.status == "processing" and prediction.output, prediction
    assert prediction.started_at is None and prediction.completed_at is None and prediction.metrics is None
    prediction.wait()
    assert prediction.status == "succeeded" and prediction.metrics


def check_a_wait_that_runs_out_reads_starting():
    model = client.models.get("acme/slow")
    prediction = client.predictions.create(version=model.latest_version, input={}, wait=1)
    assert prediction.status == "starting" and prediction.output is None, prediction
    prediction.cancel()
    assert prediction.status == "canceled", prediction


def check_cancel():
    model = client.models.get("acme/slow")
    prediction = client.predictions.create(version=model.latest_version.id, input={})
    canceled = client.predictions.cancel(prediction.id)
    assert canceled.status == "canceled" and canceled.completed_at, canceled
    prediction.reload()
    assert prediction.status == "canceled"
    # A second one changes nothing.
    assert client.predictions.cancel(prediction.id).completed_at == canceled.completed_at


def check_official_by_its_model():
    prediction = client.models.predictions.create("official/chat", input={"prompt": "hi"})
    prediction.wait()
    assert prediction.version == "hidden" and prediction.status == "succeeded", prediction


def check_list_goes_through_all_pages_newest_first():
    made = [client.predictions.create(version=VERSION, input={"prompt": str(n)}).id for n in range(120)]
    pages = list(replicate.pagination.paginate(client.predictions.list))
    assert len(pages) >= 2 and len(pages[0]) == 100, [len(page) for page in pages]
    assert all(len(page) == 100 for page in pages[:-1])
    ids = [prediction.id for page in pages for prediction in page]
    assert len(ids) == len(set(ids))
    assert ids[:120] == list(reversed(made))
    assert pages[0].previous is None and pages[-1].next is None
    back = client.predictions.list(pages[1].previous)
    assert [prediction.id for prediction in back] == ids[:100]


def check_models():
    model = client.models.get("acme", "images")
    assert model.visibility == "public" and model.latest_version.id == VERSION, model
    assert model.default_example.input == {"prompt": "an astronaut"}, model.default_example
    assert client.models.get("acme/secret").visibility == "private"
    listed = [model.id for model in client.models.list()]
    assert "acme/images" in listed and "acme/secret" not in listed, listed


def check_versions():
    model = client.models.get("acme/images")
    ids = [version.id for version in model.versions.list()]
    assert ids == [VERSION, "b" * 64], ids
    version = model.versions.get("b" * 64)
    assert version.openapi_schema["components"]["schemas"]["Input"]["required"] == ["prompt"]
    assert version.cog_version and version.created_at.tzinfo
    refused(404, lambda: model.versions.get("c" * 64))


def check_deployments():
    deployment = client.deployments.get("acme/app")
    release = deployment.current_release
    assert release.model == "acme/text" and release.configuration.min_instances == 0, release
    prediction = deployment.predictions.create(input={"prompt": "hi"})
    prediction.wait()
    assert prediction.version.startswith("dp-") and len(prediction.version) == 35, prediction.version
    assert "".join(prediction.output) == "warm words"


def check_deployments_are_made_changed_and_deleted():
    made = client.deployments.create(
        name="mine", model="acme/images", version=VERSION, hardware="cpu", min_instances=0, max_instances=2
    )
    assert made.current_release.number == 1 and made.owner == "sandbox", made
    changed = client.deployments.update("sandbox", "mine", min_instances=1, hardware="gpu-t4")
    release = changed.current_release
    assert (release.number, release.configuration.min_instances, release.configuration.hardware) == (2, 1, "gpu-t4")
    assert "sandbox/mine" in [deployment.id for deployment in client.deployments.list()]
    refused(400, lambda: client.deployments.update("sandbox", "mine", min_instances=6))
    client.deployments.delete("sandbox", "mine")
    refused(404, lambda: client.deployments.get("sandbox/mine"))


def check_account_hardware_collections():
    assert client.accounts.current().username == "sandbox"
    assert "cpu" in [hardware.sku for hardware in client.hardware.list()]
    slug = client.collections.list()[0].slug
    assert len(client.collections.get(slug).models) > 0


def check_a_file_input_is_uploaded():
    upload = client.files.create(io.BytesIO(b"not a picture"), filename="a.txt", content_type="text/plain")
    assert upload.size == 13 and upload.name == "a.txt", upload
    assert client.files.get(upload.id).content_type == "text/plain"
    prediction = client.predictions.create(version=VERSION, input={"prompt": "x", "image": io.BytesIO(b"xyz")})
    assert "/v1/files/" in prediction.input["image"], prediction.input
    client.files.delete(upload.id)
    refused(404, lambda: client.files.get(upload.id))


def check_a_failed_prediction_raises():
    version = client.models.get("acme/broken").latest_version.id
    for wait in (True, False):
        try:
            client.run(f"acme/broken:{version}", input={}, wait=wait)
        except ModelError as error:
            assert "out of memory" in str(error) and error.prediction.status == "failed", error
        else:
            raise AssertionError("it did not raise")


def check_unauthenticated():
    error = refused(401, replicate.Client(api_token="bad", base_url=ORIGIN).accounts.current)
    assert error.title == "Unauthenticated" and error.detail


def check_out_of_credit():
    poor = replicate.Client(api_token="poor", base_url=ORIGIN)
    error = refused(402, lambda: poor.predictions.create(version=VERSION, input={"prompt": "hi"}))
    assert error.title == "Insufficient credit"


def check_not_found():
    refused(404, lambda: client.models.get("missing/model"))
    refused(404, lambda: client.predictions.get("nonesuch"))
    # A community model is run by its version.
    refused(404, lambda: client.run("acme/images", input={"prompt": "hi"}))
    refused(404, lambda: client.trainings.list())


def check_invalid():
    error = refused(422, lambda: client.predictions.create(version=VERSION, input={"num_inference_steps": 51}))
    assert error.title == "Input validation failed", error
    assert "prompt is required" in error.detail and "less than or equal to 50" in error.detail, error.detail
    error = refused(422, lambda: client.predictions.create(version="c" * 64, input={}))
    assert error.title == "Invalid version or not permitted", error


def check_throttled():
    low = replicate.Client(api_token="low", base_url=ORIGIN)
    low.predictions.create(version=VERSION, input={"prompt": "hi"})
    error = refused(429, lambda: low.predictions.create(version=VERSION, input={"prompt": "hi"}))
    assert "Request was throttled" in error.detail, error


def check_server_errors():
    fault(fault="server-error")
    refused(500, lambda: client.predictions.create(version=VERSION, input={"prompt": "hi"}))
    fault(fault="bad-gateway", on="call")
    refused(502, client.accounts.current)


run_all(globals())
