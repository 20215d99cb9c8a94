"""CloudFormation of the miniature: what a deployer relies on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.control_server import RunningPlane


@pytest.fixture
def stacks(plane: RunningPlane) -> Any:
    return plane.client("cloudformation")


def parameters(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def create(stacks: Any, name: str, template: str, /, **values: str) -> dict[str, Any]:
    stacks.create_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=parameters(values),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    return describe(stacks, name)


def update(stacks: Any, name: str, template: str, /, **values: str) -> dict[str, Any]:
    stacks.update_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=parameters(values),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    return describe(stacks, name)


def describe(stacks: Any, name: str) -> dict[str, Any]:
    stack: dict[str, Any] = stacks.describe_stacks(StackName=name)["Stacks"][0]
    return stack


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}


def failures(stacks: Any, name: str) -> list[str]:
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    return [e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("FAILED")]


NETWORK = """
Parameters:
  InstancePresent: {Type: String, Default: "true", AllowedValues: ["true", "false"]}
  ImageId:
    Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>
    Default: /aws/service/debian/release/13/20260914-2234/amd64
Conditions:
  HasInstance: !Equals [!Ref InstancePresent, "true"]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.7.0.0/16, EnableDnsSupport: true, EnableDnsHostnames: true}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.7.16.0/20, AvailabilityZone: ap-southeast-1a}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Joint:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {SubnetId: !Ref Subnet, RouteTableId: !Ref Table}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: A group
      VpcId: !Ref Vpc
      SecurityGroupEgress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 10.7.0.0/16}]
  Open:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: No rules of its own, VpcId: !Ref Vpc}
  Out:
    Type: AWS::EC2::SecurityGroupEgress
    Properties:
      GroupId: !Ref Group
      IpProtocol: tcp
      FromPort: 5432
      ToPort: 5432
      DestinationSecurityGroupId: !Ref Open
  Door:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcId: !Ref Vpc
      ServiceName: !Sub "com.amazonaws.${AWS::Region}.s3"
      RouteTableIds: [!Ref Table]
  Ssm:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcId: !Ref Vpc
      VpcEndpointType: Interface
      ServiceName: !Sub com.amazonaws.${AWS::Region}.ssm
      SubnetIds: [!Ref Subnet]
      SecurityGroupIds: [!Ref Group]
      PrivateDnsEnabled: true
  Interface:
    Type: AWS::EC2::NetworkInterface
    Properties: {SubnetId: !Ref Subnet, PrivateIpAddress: 10.7.16.10, GroupSet: [!Ref Group]}
  Volume:
    Type: AWS::EC2::Volume
    DeletionPolicy: Retain
    Properties: {AvailabilityZone: ap-southeast-1a, Size: 8, VolumeType: gp3, Encrypted: true}
  Instance:
    Type: AWS::EC2::Instance
    Condition: HasInstance
    Properties:
      ImageId: !Ref ImageId
      InstanceType: t3.small
      NetworkInterfaces: [{NetworkInterfaceId: !Ref Interface, DeviceIndex: "0"}]
      Tags: [{Key: Name, Value: host}]
  Attached:
    Type: AWS::EC2::VolumeAttachment
    Condition: HasInstance
    Properties: {InstanceId: !Ref Instance, VolumeId: !Ref Volume, Device: /dev/sdf}
Outputs:
  Group: {Value: !Ref Group}
  Open: {Value: !Ref Open}
  Table: {Value: !Ref Table}
  Door: {Value: !Ref Door}
  Ssm: {Value: !Ref Ssm}
  Interface: {Value: !Ref Interface}
  Volume: {Value: !Ref Volume}
  Instance: {Condition: HasInstance, Value: !Ref Instance}
  Address: {Condition: HasInstance, Value: !GetAtt Instance.PrivateIp}
  Image: {Value: !Ref ImageId}
"""


@pytest.fixture(scope="module")
def network(plane: RunningPlane) -> dict[str, str]:
    stack = create(plane.client("cloudformation"), "network", NETWORK)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    return outputs(stack)


def test_instance_gets_the_address_of_its_own_interface(network: dict[str, str]) -> None:
    assert network["Address"] == "10.7.16.10"


def test_dated_debian_image_parameter_resolves_to_an_image(
    plane: RunningPlane, network: dict[str, str]
) -> None:
    images = plane.client("ec2").describe_images(ImageIds=[network["Image"]])["Images"]
    assert [image["Architecture"] for image in images] == ["x86_64"]


def test_group_without_egress_rules_lets_everything_out(
    plane: RunningPlane, network: dict[str, str]
) -> None:
    groups = plane.client("ec2").describe_security_groups(GroupIds=[network["Open"]])
    [rule] = groups["SecurityGroups"][0]["IpPermissionsEgress"]
    assert (rule["IpProtocol"], rule["IpRanges"]) == ("-1", [{"CidrIp": "0.0.0.0/0"}])


def test_group_with_egress_rules_loses_the_default_one(
    plane: RunningPlane, network: dict[str, str]
) -> None:
    groups = plane.client("ec2").describe_security_groups(GroupIds=[network["Group"]])
    rules = groups["SecurityGroups"][0]["IpPermissionsEgress"]
    assert sorted(rule["FromPort"] for rule in rules) == [443, 5432]
    [to_group] = [rule for rule in rules if rule["FromPort"] == 5432]
    assert [pair["GroupId"] for pair in to_group["UserIdGroupPairs"]] == [network["Open"]]


def test_gateway_endpoint_is_in_its_route_table(
    plane: RunningPlane, network: dict[str, str]
) -> None:
    ec2 = plane.client("ec2")
    [endpoint] = ec2.describe_vpc_endpoints(VpcEndpointIds=[network["Door"]])["VpcEndpoints"]
    assert endpoint["RouteTableIds"] == [network["Table"]]
    [table] = ec2.describe_route_tables(RouteTableIds=[network["Table"]])["RouteTables"]
    routes = [route for route in table["Routes"] if route.get("GatewayId") == network["Door"]]
    assert [route["DestinationPrefixListId"][:3] for route in routes] == ["pl-"]


def test_interface_endpoint_has_a_top_address_and_its_groups(
    plane: RunningPlane, network: dict[str, str]
) -> None:
    ec2 = plane.client("ec2")
    [endpoint] = ec2.describe_vpc_endpoints(VpcEndpointIds=[network["Ssm"]])["VpcEndpoints"]
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=endpoint["NetworkInterfaceIds"])
    [interface] = found["NetworkInterfaces"]
    assert interface["PrivateIpAddress"] == "10.7.31.250"
    assert [group["GroupId"] for group in interface["Groups"]] == [network["Group"]]


def test_instance_goes_and_comes_back_with_address_and_volume(
    plane: RunningPlane, stacks: Any, network: dict[str, str]
) -> None:
    gone = update(stacks, "network", NETWORK, InstancePresent="false")
    assert gone["StackStatus"] == "UPDATE_COMPLETE"
    assert "Instance" not in outputs(gone)
    ec2 = plane.client("ec2")
    [volume] = ec2.describe_volumes(VolumeIds=[network["Volume"]])["Volumes"]
    assert volume["State"] == "available"
    back = outputs(update(stacks, "network", NETWORK, InstancePresent="true"))
    assert back["Address"] == "10.7.16.10"
    assert back["Instance"] != network["Instance"]
    assert back["Interface"] == network["Interface"]
    [volume] = ec2.describe_volumes(VolumeIds=[network["Volume"]])["Volumes"]
    assert [a["InstanceId"] for a in volume["Attachments"]] == [back["Instance"]]


QUEUE = """
Parameters: {Seconds: {Type: Number, Default: 30, MaxValue: 100}}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${AWS::StackName}-q", VisibilityTimeout: !Ref Seconds}
Outputs:
  Arn: {Value: !GetAtt Queue.Arn, Export: {Name: !Sub "${AWS::StackName}-Arn"}}
"""


def test_changed_parameter_changes_the_resource_in_place(plane: RunningPlane, stacks: Any) -> None:
    create(stacks, "in-place", QUEUE)
    assert update(stacks, "in-place", QUEUE, Seconds="60")["StackStatus"] == "UPDATE_COMPLETE"
    sqs = plane.client("sqs")
    url = sqs.get_queue_url(QueueName="in-place-q")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"] == {"VisibilityTimeout": "60"}


def test_update_without_a_change_is_refused(stacks: Any) -> None:
    create(stacks, "same", QUEUE)
    with pytest.raises(ClientError, match="No updates are to be performed"):
        update(stacks, "same", QUEUE, Seconds="30")


def test_parameter_beyond_its_maximum_is_refused(stacks: Any) -> None:
    with pytest.raises(ClientError, match="'Seconds' must be a number not greater than 100"):
        create(stacks, "beyond", QUEUE, Seconds="101")


def test_parameter_that_the_template_lacks_is_refused(stacks: Any) -> None:
    with pytest.raises(ClientError, match=r"Parameters: \[Other\] do not exist in the template"):
        create(stacks, "stranger", QUEUE, Other="1")


def test_unknown_type_fails_by_name_and_is_rolled_back(plane: RunningPlane, stacks: Any) -> None:
    template = """
    Resources:
      First: {Type: AWS::SQS::Queue, Properties: {QueueName: rolled-back}}
      Odd: {Type: AWS::Glacier::Igloo, DependsOn: First}
    """
    stack = create(stacks, "odd-type", template)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert failures(stacks, "odd-type") == [
        "Resource type AWS::Glacier::Igloo is not supported by the miniature"
    ]
    assert "QueueUrls" not in plane.client("sqs").list_queues(QueueNamePrefix="rolled-back")


def test_unknown_property_fails_by_name(stacks: Any) -> None:
    template = "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {Colour: red}}}"
    create(stacks, "odd-property", template)
    assert failures(stacks, "odd-property") == ["Encountered unsupported property Colour"]


def test_unknown_part_of_a_property_fails_by_name(stacks: Any) -> None:
    template = """
    Resources:
      B:
        Type: AWS::S3::Bucket
        Properties: {BucketName: odd-part, PublicAccessBlockConfiguration: {BlockMoon: true}}
    """
    create(stacks, "odd-part", template)
    [reason] = failures(stacks, "odd-part")
    assert "PublicAccessBlockConfiguration.BlockMoon" in reason


def test_disable_rollback_keeps_what_was_made(plane: RunningPlane, stacks: Any) -> None:
    template = """
    Resources:
      First: {Type: AWS::SQS::Queue, Properties: {QueueName: kept}}
      Odd: {Type: AWS::Glacier::Igloo, DependsOn: First}
    """
    stacks.create_stack(StackName="keeps", TemplateBody=template, DisableRollback=True)
    assert describe(stacks, "keeps")["StackStatus"] == "CREATE_FAILED"
    assert len(plane.client("sqs").list_queues(QueueNamePrefix="kept")["QueueUrls"]) == 1


def test_failed_update_goes_back(plane: RunningPlane, stacks: Any) -> None:
    create(stacks, "goes-back", QUEUE)
    worse = QUEUE.replace(
        "Outputs:", "  Odd: {Type: AWS::Glacier::Igloo, DependsOn: Queue}\nOutputs:"
    )
    stack = update(stacks, "goes-back", worse, Seconds="90")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    sqs = plane.client("sqs")
    url = sqs.get_queue_url(QueueName="goes-back-q")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"] == {"VisibilityTimeout": "30"}
    assert outputs(stack) == {"Arn": "arn:aws:sqs:ap-southeast-1:123456789012:goes-back-q"}


def test_export_in_use_holds_its_stack(stacks: Any) -> None:
    create(stacks, "giver", QUEUE)
    taker = """
    Resources:
      Role:
        Type: AWS::IAM::Role
        Properties:
          AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}
          Description: !ImportValue giver-Arn
    """
    assert create(stacks, "taker", taker)["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="giver-Arn cannot be deleted as it is in use by taker"):
        stacks.delete_stack(StackName="giver")
    stacks.delete_stack(StackName="taker")
    stacks.delete_stack(StackName="giver")
    with pytest.raises(ClientError, match="giver does not exist"):
        describe(stacks, "giver")


def test_missing_export_refuses_the_stack(stacks: Any) -> None:
    template = QUEUE.replace('!Sub "${AWS::StackName}-q"', "!ImportValue nobody-has-it")
    with pytest.raises(ClientError, match="No export named nobody-has-it found"):
        create(stacks, "importer", template)


def test_retained_resource_outlives_its_stack(plane: RunningPlane, stacks: Any) -> None:
    template = """
    Resources:
      Q: {Type: AWS::SQS::Queue, DeletionPolicy: Retain, Properties: {QueueName: outlives}}
    """
    create(stacks, "retains", template)
    stacks.delete_stack(StackName="retains")
    assert len(plane.client("sqs").list_queues(QueueNamePrefix="outlives")["QueueUrls"]) == 1


def test_bucket_with_objects_makes_the_deletion_fail(plane: RunningPlane, stacks: Any) -> None:
    create(
        stacks, "full", "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: full}}}"
    )
    s3 = plane.client("s3")
    s3.put_object(Bucket="full", Key="k", Body=b"v")
    stacks.delete_stack(StackName="full")
    assert describe(stacks, "full")["StackStatus"] == "DELETE_FAILED"
    s3.delete_object(Bucket="full", Key="k")
    stacks.delete_stack(StackName="full")
    assert [b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"] == "full"] == []


SECRET = """
Parameters: {Version: {Type: String, Default: ""}}
Conditions: {Pinned: !Not [!Equals [!Ref Version, ""]]}
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: pinned-secret
      GenerateSecretString:
        SecretStringTemplate: '{"username": "loader"}'
        GenerateStringKey: password
        PasswordLength: 40
        ExcludePunctuation: true
  Copy:
    Type: AWS::SSM::Parameter
    Condition: Pinned
    Properties:
      Name: copied
      Type: String
      Value: !Sub "{{resolve:secretsmanager:${Secret}:SecretString:password::${Version}}}"
"""


def test_dynamic_reference_gives_the_pinned_version(plane: RunningPlane, stacks: Any) -> None:
    create(stacks, "secret", SECRET)
    manager = plane.client("secretsmanager")
    first = manager.get_secret_value(SecretId="pinned-secret")
    content = json.loads(first["SecretString"])
    assert content["username"] == "loader"
    assert len(content["password"]) == 40
    manager.put_secret_value(
        SecretId="pinned-secret", SecretString='{"username": "loader", "password": "second"}'
    )
    update(stacks, "secret", SECRET, Version=first["VersionId"])
    copied = plane.client("ssm").get_parameter(Name="copied")["Parameter"]["Value"]
    assert copied == content["password"]
    second = manager.get_secret_value(SecretId="pinned-secret")["VersionId"]
    update(stacks, "secret", SECRET, Version=second)
    copied = plane.client("ssm").get_parameter(Name="copied")["Parameter"]["Value"]
    assert copied == "second"


def test_dynamic_reference_to_nothing_fails_the_resource(stacks: Any) -> None:
    template = """
    Resources:
      P:
        Type: AWS::SSM::Parameter
        Properties: {Type: String, Value: "{{resolve:secretsmanager:none:SecretString:x}}"}
    """
    create(stacks, "no-secret", template)
    [reason] = failures(stacks, "no-secret")
    assert "Could not resolve {{resolve:secretsmanager:none:SecretString:x}}" in reason


def test_change_set_tells_without_changing(stacks: Any) -> None:
    create(stacks, "planned", QUEUE)
    made = stacks.create_change_set(
        StackName="planned",
        ChangeSetName="slower",
        TemplateBody=QUEUE,
        Parameters=parameters({"Seconds": "99"}),
    )
    plan = stacks.describe_change_set(ChangeSetName=made["Id"])
    [change] = [item["ResourceChange"] for item in plan["Changes"]]
    assert (change["Action"], change["LogicalResourceId"], change["Replacement"]) == (
        "Modify",
        "Queue",
        "False",
    )
    assert describe(stacks, "planned")["StackStatus"] == "CREATE_COMPLETE"
    stacks.execute_change_set(ChangeSetName=made["Id"])
    assert describe(stacks, "planned")["Parameters"][0]["ParameterValue"] == "99"


def test_change_set_without_changes_fails_with_the_known_sentence(stacks: Any) -> None:
    create(stacks, "unplanned", QUEUE)
    made = stacks.create_change_set(
        StackName="unplanned", ChangeSetName="nothing", TemplateBody=QUEUE
    )
    plan = stacks.describe_change_set(ChangeSetName=made["Id"])
    assert plan["Status"] == "FAILED"
    assert plan["StatusReason"].startswith("The submitted information didn't contain changes")


def test_events_carry_the_callers_token(stacks: Any) -> None:
    stacks.create_stack(StackName="token", TemplateBody=QUEUE, ClientRequestToken="my-token")
    events = stacks.describe_stack_events(StackName="token")["StackEvents"]
    assert {event["ClientRequestToken"] for event in events} == {"my-token"}
    assert events[0]["ResourceStatus"] == "CREATE_COMPLETE"
    assert events[0]["LogicalResourceId"] == "token"


def test_role_needs_the_capability(stacks: Any) -> None:
    template = """
    Resources:
      R: {Type: AWS::IAM::Role, Properties: {RoleName: named, AssumeRolePolicyDocument: {}}}
    """
    with pytest.raises(ClientError, match="CAPABILITY_NAMED_IAM"):
        stacks.create_stack(StackName="capable", TemplateBody=template)


def test_failed_rule_is_refused_with_its_sentence(stacks: Any) -> None:
    template = """
    Parameters: {Mode: {Type: String}}
    Rules:
      Careful:
        Assertions:
          - {Assert: !Not [!Equals [!Ref Mode, reckless]], AssertDescription: Be careful.}
    Resources: {Q: {Type: AWS::SQS::Queue}}
    """
    with pytest.raises(ClientError, match=r"Be careful\."):
        create(stacks, "rules", template, Mode="reckless")


def test_circle_of_resources_is_refused(stacks: Any) -> None:
    template = """
    Resources:
      A: {Type: AWS::SQS::Queue, DependsOn: B}
      B: {Type: AWS::SQS::Queue, DependsOn: A}
    """
    with pytest.raises(ClientError, match=r"Circular dependency between resources: \[A, B\]"):
        create(stacks, "circle", template)


def test_transform_is_refused_by_name(stacks: Any) -> None:
    template = "Transform: AWS::Serverless-2016-10-31\nResources: {Q: {Type: AWS::SQS::Queue}}"
    with pytest.raises(ClientError, match="Transform"):
        create(stacks, "transform", template)


def test_unsupported_call_fails_by_name(stacks: Any) -> None:
    with pytest.raises(ClientError, match="DetectStackDrift is not supported by the miniature"):
        stacks.detect_stack_drift(StackName="any")


def test_service_that_nobody_checked_fails_by_name(plane: RunningPlane) -> None:
    with pytest.raises(ClientError, match="dynamodb ListTables is not supported by the miniature"):
        plane.client("dynamodb").list_tables()


def test_second_instance_cannot_take_an_interface_in_use(
    plane: RunningPlane, network: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match=r"InvalidNetworkInterface\.InUse"):
        plane.client("ec2").run_instances(
            ImageId=network["Image"],
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[{"NetworkInterfaceId": network["Interface"], "DeviceIndex": 0}],
        )


def test_replacing_the_instance_in_one_update_goes_back(
    stacks: Any, network: dict[str, str]
) -> None:
    other = NETWORK.replace("InstanceType: t3.small", "InstanceType: t3.small\n      KeyName: new")
    stack = update(stacks, "network", other)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert outputs(stack)["Interface"] == network["Interface"]


def test_deleted_stack_leaves_only_what_it_retains(plane: RunningPlane, stacks: Any) -> None:
    template = NETWORK.replace("10.7.", "10.8.")
    made = outputs(create(stacks, "deleted", template))
    stack_id = describe(stacks, "deleted")["StackId"]
    stacks.delete_stack(StackName="deleted")
    assert describe(stacks, stack_id)["StackStatus"] == "DELETE_COMPLETE"
    ec2 = plane.client("ec2")
    left = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [i for i in left if i["PrivateIpAddress"].startswith("10.8.")] == []
    [volume] = ec2.describe_volumes(VolumeIds=[made["Volume"]])["Volumes"]
    assert volume["State"] == "available"
    with pytest.raises(ClientError, match=r"InvalidVpcEndpointId\.NotFound"):
        ec2.describe_vpc_endpoints(VpcEndpointIds=[made["Ssm"]])


FUNCTION = """
Parameters: {Places: {Type: Number, Default: 0}}
Conditions: {Reserves: !Not [!Equals [!Ref Places, "0"]]}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "handler = print"}
      ReservedConcurrentExecutions: !If [Reserves, !Ref Places, !Ref AWS::NoValue]
Outputs: {Name: {Value: !Ref Function}}
"""


def test_concurrency_is_reserved_only_while_the_template_says_so(
    plane: RunningPlane, stacks: Any
) -> None:
    name = outputs(create(stacks, "places", FUNCTION))["Name"]
    client = plane.client("lambda")
    found = []
    for places in (None, "2", "0"):
        if places is not None:
            update(stacks, "places", FUNCTION, Places=places)
        answer = client.get_function_concurrency(FunctionName=name)
        found.append(answer.get("ReservedConcurrentExecutions"))
    assert found == [None, 2, None]
