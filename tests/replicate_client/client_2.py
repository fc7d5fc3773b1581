"""The official client, 2.0 beta: it knows deadlines, and can be strict about the types of answers."""

import time
from datetime import timedelta

import replicate

from bench import ORIGIN, VERSION, fault, run_all

client = replicate.Replicate(bearer_token="good", base_url=ORIGIN + "/v1", max_retries=0)
# Its types want an `output` even of what is still starting, which the recorded replies do not have,
# and know no `aborted`: everything else must fit them.
strict = replicate.Replicate(
    bearer_token="good", base_url=ORIGIN + "/v1", max_retries=0, _strict_response_validation=True
)


def check_run():
    output = client.run(f"acme/images:{VERSION}", input={"prompt": "hi"})
    assert output[0].read().startswith(b"\x89PNG")
    assert "".join(client.run("official/chat", input={"prompt": "hi"})) == "warm words"


def check_create_wait_get():
    prediction = client.predictions.create(version=f"acme/images:{VERSION}", input={"prompt": "hi"})
    assert prediction.status == "starting"
    client.predictions.wait(prediction.id)
    prediction = strict.predictions.get(prediction_id=prediction.id)
    assert prediction.status == "succeeded" and prediction.metrics.total_time > 0
    assert prediction.completed_at >= prediction.started_at
    assert prediction.started_at - prediction.created_at > timedelta(milliseconds=-50)


def check_prefer():
    prediction = strict.predictions.create(version=VERSION, input={"prompt": "hi"}, prefer="wait=20")
    assert prediction.status == "processing" and prediction.output and prediction.metrics is None
    reply = client.predictions.with_raw_response.create(version=VERSION, input={"prompt": "hi"}, prefer="wait=20")
    assert reply.headers["preference-applied"] == "wait=20"
    assert int(reply.headers["ratelimit-remaining"]) > 0 and int(reply.headers["ratelimit-reset"]) > 0


def check_a_deadline_before_the_start_aborts():
    fault(fault="stuck")
    prediction = client.predictions.create(version=VERSION, input={"prompt": "hi"}, cancel_after="5s")
    assert abs(prediction.deadline - prediction.created_at - timedelta(seconds=5)) < timedelta(seconds=0.1)
    seen = poll(prediction.id)
    assert seen.status == "aborted", seen
    assert seen.started_at is None and seen.metrics is None and seen.completed_at is not None, seen


def check_a_deadline_while_running_cancels():
    version = strict.models.get(model_owner="acme", model_name="slow").latest_version.id
    prediction = client.predictions.create(version=version, input={}, cancel_after="5")
    seen = poll(prediction.id)
    assert seen.status == "canceled" and seen.started_at is not None, seen


def poll(prediction_id):
    while True:
        seen = client.predictions.get(prediction_id=prediction_id)
        if seen.status not in ("starting", "processing"):
            return seen
        time.sleep(0.2)


def check_a_deadline_under_five_seconds_is_refused():
    try:
        client.predictions.create(version=VERSION, input={"prompt": "hi"}, cancel_after="4s")
    except replicate.BadRequestError:
        return
    raise AssertionError("it was accepted")


def check_lists():
    assert len(list(strict.models.list())) >= 5
    made = [client.predictions.create(version=VERSION, input={"prompt": "hi"}).id for _ in range(101)]
    listed = [prediction.id for prediction in client.predictions.list()]
    assert listed[:101] == list(reversed(made))
    strict.models.versions.list(model_owner="acme", model_name="images")
    strict.models.versions.get(model_owner="acme", model_name="images", version_id=VERSION)
    assert [deployment.name for deployment in strict.deployments.list()]
    assert strict.hardware.list()[0].sku
    assert strict.account.get().username == "sandbox"
    assert list(strict.collections.list())


def check_deployments():
    prediction = strict.deployments.predictions.create(
        deployment_owner="acme", deployment_name="app", input={"prompt": "hi"}, prefer="wait"
    )
    assert prediction.deployment == "acme/app" and prediction.version.startswith("dp-"), prediction
    found = strict.deployments.get(deployment_owner="acme", deployment_name="app")
    assert found.current_release.configuration.max_instances >= 1


def check_errors():
    for name, error in [
        ("unauthenticated", replicate.AuthenticationError),
        ("not-found", replicate.NotFoundError),
        ("invalid-input", replicate.UnprocessableEntityError),
        ("throttled-body", replicate.RateLimitError),
        ("bad-gateway", replicate.InternalServerError),
        ("reset", replicate.APIConnectionError),
        ("lost-reply", replicate.APIConnectionError),
    ]:
        fault(fault=name)
        try:
            client.predictions.create(version=VERSION, input={"prompt": "hi"})
        except error:
            continue
        raise AssertionError(f"{name} raised nothing")


run_all(globals())
