"""No request reaches another account's data, whatever it asks: every operation and action, at random."""

import random
import re

import pytest

from chalicelib.api import table
from chalicelib.model import ram
from chalicelib.rpc import table as rpc_table
from chalicelib.wire import http
from tests.api import signing
from tests.api.identities import OTHER_ROOT, ROOT, Accounts, Caller, Who, allow, document, trust

REQUESTS = 600
MARK = "only-theirs-to-see"  # in everything of the other account that is no name, and in no request
NAMES = ["orders", "theirs", "mine"]  # the first is in both accounts
THEM = signing.OTHER_ACCOUNT

# What the other account looks at; moments of messages and counts are among it.
LOOKS = [
    *[f"/queues/{name}" for name in NAMES],
    *[f"/queues/{name}/messages?peekonly=true&numOfMessages=16" for name in NAMES],
    *[f"/topics/{name}" for name in NAMES],
    *[f"/topics/{name}/subscriptions/{name}" for name in NAMES],
    *["/queues", "/topics", "/topics/orders/subscriptions", "/?accountmeta=true"],
]
RAM_LOOKS = [
    *[("ListUsers", {}), ("ListGroups", {}), ("ListRoles", {}), ("ListPolicies", {"PolicyType": "Custom"})],
    *[("GetUser", {"UserName": "theirs"}), ("ListAccessKeys", {"UserName": "theirs"})],
    *[("ListPoliciesForUser", {"UserName": "theirs"}), ("ListUsersForGroup", {"GroupName": "theirs"})],
    *[("ListPoliciesForRole", {"RoleName": "theirs"}), ("GetRole", {"RoleName": "theirs"})],
    *[("GetPolicy", {"PolicyType": "Custom", "PolicyName": "theirs"})],
    *[("ListEntitiesForPolicy", {"PolicyType": "System", "PolicyName": "AdministratorAccess"})],
]


class World:
    """Two accounts; the other one has some of everything."""

    def __init__(self, application, clock):
        self.caller = Caller(application, clock)
        self.accounts = Accounts(application)
        self._fill()
        arn = self.accounts.role(trust(f"acs:ram::{signing.ACCOUNT}:root"), allow("*"))
        user = self.accounts.user(allow("*"), name="mine")
        session = self.accounts.assume(user, arn)
        theirs = self.accounts.assume(
            self.accounts.user(allow("*"), of=THEM),
            self.accounts.role(trust(f"acs:ram::{THEM}:root"), allow("*"), of=THEM),
        )
        self.askers = [ROOT, user, session]
        self.impostors = [
            Who(key=OTHER_ROOT.key, secret=ROOT.secret),
            Who(key=session.key, secret=session.secret, token=theirs.token),
            Who(key=theirs.key, secret=session.secret, token=session.token),
            Who(key=theirs.key, secret=theirs.secret),
        ]

    def _fill(self):
        for name in ("orders", "theirs"):
            for path in (f"/queues/{name}", f"/topics/{name}"):
                assert self.xml("PUT", path, f"<{'Queue' if 'queues' in path else 'Topic'}/>").status == 201
            endpoint = f"http://{MARK}.example.test/"
            body = f"<Subscription><Endpoint>{endpoint}</Endpoint></Subscription>"
            assert self.xml("PUT", f"/topics/{name}/subscriptions/{name}", body).status == 201
            for _ in range(2):
                body = f"<Message><MessageBody>{MARK}</MessageBody></Message>"
                assert self.xml("POST", f"/queues/{name}/messages", body).status == 201
        received = self.xml("GET", "/queues/orders/messages")
        self.handle = signing.texts(received)["ReceiptHandle"]
        self.xml("PUT", "/?accountmeta=true", f"<Account><LoggingBucket>{MARK}</LoggingBucket></Account>")
        make = {
            "CreateUser": {"UserName": "theirs", "Comments": MARK},
            "CreateGroup": {"GroupName": "theirs", "Comments": MARK},
            "AddUserToGroup": {"UserName": "theirs", "GroupName": "theirs"},
            "CreateRole": {
                "RoleName": "theirs",
                "Description": MARK,
                "AssumeRolePolicyDocument": trust(f"acs:ram::{THEM}:root"),
            },
            "CreatePolicy": {
                "PolicyName": "theirs",
                "PolicyDocument": document(allow("mns:*", resource=f"acs:mns:*:*:/queues/{MARK}")),
            },
        }
        for action, parameters in make.items():
            assert self.caller.rpc_code(OTHER_ROOT, "ram", action, parameters) == "", action
        for kind in (ram.User, ram.Group, ram.Role):
            self.accounts.verbs.directory.attach(THEM, kind, "theirs", ram.CUSTOM, "theirs")
        self.key = self.accounts.verbs.directory.create_key(THEM, "theirs")

    def xml(self, *request):
        return self.caller.xml(OTHER_ROOT, *request)

    def look(self):
        """All that the other account sees of itself."""
        seen = [self.xml("GET", target) for target in LOOKS]
        seen += [self.caller.rpc(OTHER_ROOT, "ram", *look) for look in RAM_LOOKS]
        return [re.sub(rb"[0-9A-F]{24}", b"", response.body) for response in seen]  # but for the ids of requests


class Asker:
    """Makes requests that ask for anything."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance = world, chance

    def ask(self) -> tuple[str, http.Response]:
        who = self.chance.choice(self.world.askers * 4 + self.world.impostors)
        return self._xml(who) if self.chance.random() < 0.5 else self._rpc(who)

    def _xml(self, who):
        row = self.chance.choice(table.TABLE)
        names = {name: self.chance.choice(NAMES) for name in ("queue", "topic", "subscription")}
        queries = ["", "metaoverride=true", "peekonly=true", "numOfMessages=16", "accountmeta=true"]
        queries += ["peekonly=true&numOfMessages=16", f"ReceiptHandle={self.world.handle}"]
        queries += [f"ReceiptHandle={self.world.handle}&VisibilityTimeout=1"]
        target = row.path.format(**names)
        if query := self.chance.choice(queries):
            target += f"?{query}"
        host = self.chance.choice(["127.0.0.1:8000", f"{THEM}.mns.cn-hangzhou.aliyuncs.com", signing.HOST])
        return row.name, self.world.caller.xml(who, row.method, target, self._body(), host=host)

    def _body(self):
        arn = f"acs:mns:cn-hangzhou:{self.chance.choice([THEM, signing.ACCOUNT])}:queues/{self.chance.choice(NAMES)}"
        policy = f"<DlqPolicy><Enabled>true</Enabled><DeadLetterTargetQueue>{arn}</DeadLetterTargetQueue></DlqPolicy>"
        return self.chance.choice(
            [
                *["", "<Queue/>", "<Topic/>", "<Queue><DelaySeconds>7</DelaySeconds></Queue>"],
                *["<Account><LoggingBucket>x</LoggingBucket></Account>", "<Account/>"],
                f"<Subscription><Endpoint>{arn}</Endpoint></Subscription>",
                f"<Subscription><Endpoint>http://example.test/</Endpoint>{policy}</Subscription>",
                "<Message><MessageBody>from elsewhere</MessageBody></Message>",
                "<Messages><Message><MessageBody>from elsewhere</MessageBody></Message></Messages>",
                f"<ReceiptHandles><ReceiptHandle>{self.world.handle}</ReceiptHandle></ReceiptHandles>",
            ]
        )

    def _rpc(self, who):
        product = self.chance.choice(rpc_table.PRODUCTS)
        action = self.chance.choice(product.actions)
        account = self.chance.choice([THEM, signing.ACCOUNT])
        given = {
            **{f"{noun}Name": self.chance.choice(NAMES) for noun in ("Queue", "Topic", "Subscription")},
            **{f"{noun}Name": self.chance.choice([*NAMES, f"{THEM}/theirs"]) for noun in ("User", "Group", "Role")},
            "PolicyName": self.chance.choice([*NAMES, "AdministratorAccess"]),
            "PolicyType": self.chance.choice(["Custom", "System"]),
            "PolicyDocument": document(allow("*")),
            "AssumeRolePolicyDocument": trust(f"acs:ram::{account}:root"),
            "NewAssumeRolePolicyDocument": trust(f"acs:ram::{account}:root"),
            "VersionId": self.chance.choice(["v1", "v2"]),
            "UserAccessKeyId": self.chance.choice([self.world.key.access_key_id, OTHER_ROOT.key, ROOT.key]),
            "Status": "Inactive",
            "RoleArn": f"acs:ram::{account}:role/{self.chance.choice(NAMES)}",
            "RoleSessionName": "session",
            "Endpoint": f"acs:mns:cn-hangzhou:{account}:queues/theirs",
            "EndpointType": "public",
            "PushType": "queue",
            "AclStrategy": "allow",
            "CidrList": '["0.0.0.0/0"]',
            "ProjectName": "x",
            "NewComments": "changed",
            "NewDescription": "changed",
            "DelaySeconds": "9",
            "OwnerId": THEM,
            "AccountId": THEM,
        }
        if action.name == "DisableEndpoint":  # shuts out this account's own requests, which would reach nothing then
            given["EndpointType"] = "nonsense"
        return f"{product.service}:{action.name}", self.world.caller.rpc(who, product.service, action.name, given)


@pytest.mark.parametrize("seed", [random.randrange(2**32) for _ in range(2)])  # noqa: S311  # no secret
def test_no_request_reaches_another_accounts_data(application, clock, seed):
    world = World(application, clock)
    asker = Asker(world, random.Random(seed))  # noqa: S311  # no secret
    before = world.look()
    assert sum(body.count(MARK.encode()) for body in before) >= 12  # there is much to see
    succeeded = set()
    for _ in range(REQUESTS):
        name, response = asker.ask()
        assert MARK.encode() not in response.body, (seed, name)
        if response.status < 300:
            succeeded.add(name)
    assert world.look() == before, seed
    assert len(succeeded) > 15, succeeded  # they were requests that mean something: 31 kinds on average, 4 more or less
    assert (
        world.caller.rpc_code(Who(key=world.key.access_key_id, secret=world.key.secret), "sts", "GetCallerIdentity")
        == ""
    )
