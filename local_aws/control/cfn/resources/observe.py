"""Alarms, dashboards, logs, queues and topics."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

import json
from typing import Any

from local_aws.control.cfn.errors import ResourceError
from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType, document, text


class Alarm(ResourceType):
    """A metric alarm."""

    type = "AWS::CloudWatch::Alarm"
    known = (
        "ActionsEnabled AlarmActions AlarmDescription AlarmName ComparisonOperator "
        "DatapointsToAlarm Dimensions EvaluateLowSampleCountPercentile EvaluationPeriods "
        "ExtendedStatistic InsufficientDataActions MetricName Metrics Namespace OKActions Period "
        "Statistic Tags Threshold ThresholdMetricId TreatMissingData Unit"
    )
    replaced_by = "AlarmName"

    def create(self, ctx: Context, props: Properties) -> Made:
        return self._put(ctx, props.get("AlarmName") or ctx.name(255), props)

    def _put(self, ctx: Context, name: str, props: Properties) -> Made:
        given = {key: value for key, value in props.items() if key not in ("AlarmName", "Tags")}
        ctx.call(
            "cloudwatch", "put_metric_alarm", AlarmName=name, Tags=ctx.tags(props) or None, **given
        )
        return Made(name, {"Arn": f"arn:aws:cloudwatch:{ctx.region}:{ctx.account}:alarm:{name}"})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self._put(ctx, physical_id, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("cloudwatch").delete_alarms(AlarmNames=[physical_id])


class Dashboard(ResourceType):
    """A dashboard of CloudWatch."""

    type = "AWS::CloudWatch::Dashboard"
    known = "DashboardBody DashboardName"
    replaced_by = "DashboardName"

    def create(self, ctx: Context, props: Properties) -> Made:
        return self._put(ctx, props.get("DashboardName") or ctx.name(255), props)

    def _put(self, ctx: Context, name: str, props: Properties) -> Made:
        try:
            json.loads(props["DashboardBody"])
        except ValueError as error:
            raise ResourceError(
                f"The field DashboardBody must be a valid JSON object: {error}"
            ) from error
        ctx.call(
            "cloudwatch", "put_dashboard", DashboardName=name, DashboardBody=props["DashboardBody"]
        )
        return Made(name, {})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self._put(ctx, physical_id, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("cloudwatch").delete_dashboards(DashboardNames=[physical_id])


class LogGroup(ResourceType):
    """A log group."""

    type = "AWS::Logs::LogGroup"
    known = "KmsKeyId LogGroupClass LogGroupName RetentionInDays Tags"
    replaced_by = "LogGroupClass LogGroupName"

    def create(self, ctx: Context, props: Properties) -> Made:
        name = props.get("LogGroupName") or ctx.name(512)
        ctx.call(
            "logs",
            "create_log_group",
            logGroupName=name,
            kmsKeyId=props.get("KmsKeyId"),
            logGroupClass=props.get("LogGroupClass"),
            tags={tag["Key"]: tag["Value"] for tag in ctx.tags(props)} or None,
        )
        return self._retain(ctx, name, {}, props)

    def _retain(self, ctx: Context, name: str, old: Properties, new: Properties) -> Made:
        days = new.get("RetentionInDays")
        if days:
            ctx.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=days)
        elif old.get("RetentionInDays"):
            ctx.client("logs").delete_retention_policy(logGroupName=name)
        return Made(name, {"Arn": f"arn:aws:logs:{ctx.region}:{ctx.account}:log-group:{name}:*"})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self._retain(ctx, physical_id, old, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("logs").delete_log_group(logGroupName=physical_id)


class MetricFilter(ResourceType):
    """A metric drawn from a log group."""

    type = "AWS::Logs::MetricFilter"
    known = "FilterName FilterPattern LogGroupName MetricTransformations"
    replaced_by = "FilterName LogGroupName"

    def create(self, ctx: Context, props: Properties) -> Made:
        return self._put(ctx, props.get("FilterName") or ctx.name(512), props)

    def _put(self, ctx: Context, name: str, props: Properties) -> Made:
        ctx.call(
            "logs",
            "put_metric_filter",
            logGroupName=props["LogGroupName"],
            filterName=name,
            filterPattern=props["FilterPattern"],
            metricTransformations=[
                {
                    key[0].lower() + key[1:]: (
                        {d["Key"]: d["Value"] for d in value} if key == "Dimensions" else value
                    )
                    for key, value in item.items()
                }
                for item in props["MetricTransformations"]
            ],
        )
        return Made(name, {})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self._put(ctx, physical_id, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("logs").delete_metric_filter(
            logGroupName=props["LogGroupName"], filterName=physical_id
        )


_QUEUE = (
    "DelaySeconds KmsMasterKeyId MaximumMessageSize MessageRetentionPeriod "
    "ReceiveMessageWaitTimeSeconds RedriveAllowPolicy RedrivePolicy SqsManagedSseEnabled "
    "VisibilityTimeout"
)


class Queue(ResourceType):
    """A standard SQS queue."""

    type = "AWS::SQS::Queue"
    known = f"{_QUEUE} QueueName Tags"
    replaced_by = "QueueName"

    def create(self, ctx: Context, props: Properties) -> Made:
        name = props.get("QueueName") or ctx.name(80)
        url = ctx.call(
            "sqs",
            "create_queue",
            QueueName=name,
            Attributes=self._attributes(props),
            tags={tag["Key"]: tag["Value"] for tag in ctx.tags(props)} or None,
        )["QueueUrl"]
        return self._made(ctx, url)

    def _attributes(self, props: Properties) -> dict[str, Any]:
        return {
            key: document(props[key]) if isinstance(props[key], dict) else text(props[key])
            for key in _QUEUE.split()
            if key in props
        }

    def _made(self, ctx: Context, url: str) -> Made:
        name = url.rsplit("/", 1)[1]
        arn = f"arn:aws:sqs:{ctx.region}:{ctx.account}:{name}"
        return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        ctx.client("sqs").set_queue_attributes(
            QueueUrl=physical_id, Attributes=self._attributes(new)
        )
        return self._made(ctx, physical_id)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("sqs").delete_queue(QueueUrl=physical_id)


class QueuePolicy(ResourceType):
    """The policy of queues."""

    type = "AWS::SQS::QueuePolicy"
    known = "PolicyDocument Queues"

    def create(self, ctx: Context, props: Properties) -> Made:
        self._set(ctx, props["Queues"], document(props["PolicyDocument"]))
        return Made(ctx.name(80), {})

    def _set(self, ctx: Context, queues: list[str], policy: str) -> None:
        for url in queues:
            ctx.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        self._set(ctx, sorted(set(old["Queues"]) - set(new["Queues"])), "")
        self._set(ctx, new["Queues"], document(new["PolicyDocument"]))
        return Made(physical_id, {})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        self._set(ctx, props["Queues"], "")


class Topic(ResourceType):
    """An SNS topic."""

    type = "AWS::SNS::Topic"
    known = "DisplayName KmsMasterKeyId Subscription Tags TopicName"
    replaced_by = "TopicName Subscription"

    def create(self, ctx: Context, props: Properties) -> Made:
        attributes = {k: text(props[k]) for k in ("DisplayName", "KmsMasterKeyId") if k in props}
        arn = ctx.call(
            "sns",
            "create_topic",
            Name=props.get("TopicName") or ctx.name(256),
            Attributes=attributes or None,
            Tags=ctx.tags(props) or None,
        )["TopicArn"]
        for item in props.get("Subscription") or []:
            ctx.call("sns", "subscribe", TopicArn=arn, **item)
        return self._made(arn)

    def _made(self, arn: str) -> Made:
        return Made(arn, {"TopicArn": arn, "TopicName": arn.rsplit(":", 1)[1]})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        for key in ("DisplayName", "KmsMasterKeyId"):
            if old.get(key) != new.get(key):
                ctx.client("sns").set_topic_attributes(
                    TopicArn=physical_id, AttributeName=key, AttributeValue=text(new.get(key, ""))
                )
        return self._made(physical_id)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("sns").delete_topic(TopicArn=physical_id)
