"""Makes topics."""

from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.servers import Servers


async def new_topic(stack: Servers, partitions: int) -> str:
    """Make a topic that nobody has heard of, and return its name."""
    name = f"test-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, partitions, 1)])
    await admin.close()
    return name
