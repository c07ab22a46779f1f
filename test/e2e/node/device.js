// Devices with version 2 of AWS's SDK for JavaScript: on either of its clients
// for jobs, over either version of MQTT, each lives the life below. The argument
// is JSON: where the server listens, which files prove who a device is, and the
// things, of which each has two jobs. Prints the name of each thing that is done.
'use strict';

const assert = require('node:assert');
const { once } = require('node:events');
const { iot, iotjobs, mqtt, mqtt5 } = require('aws-iot-device-sdk-v2');

const { host, port, ca, cert, key, things } = JSON.parse(process.argv[2]);

// inbox hands out what has come in, in this order.
function inbox() {
  const come = [];
  const waiting = [];
  return {
    put: (m) => (waiting.length ? waiting.shift()(m) : come.push(m)),
    take: () => (come.length ? come.shift() : new Promise((done) => waiting.push(done))),
  };
}

async function connect3(id) {
  const connection = new mqtt.MqttClient().new_connection(
    iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(cert, key)
      .with_certificate_authority_from_path(undefined, ca)
      .with_endpoint(host).with_port(port).with_client_id(id).with_clean_session(true).build(),
  );
  await connection.connect();
  return { connection, close: () => connection.disconnect() };
}

async function connect5(id) {
  const connection = new mqtt5.Mqtt5Client(
    iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(host, cert, key)
      .withCertificateAuthorityFromPath(undefined, ca)
      .withPort(port).withConnectProperties({ clientId: id, keepAliveIntervalSeconds: 30 }).build(),
  );
  const failed = once(connection, 'connectionFailure').then(([{ error }]) => { throw error; });
  const connected = once(connection, 'connectionSuccess');
  connection.start();
  await Promise.race([connected, failed]);
  return {
    connection,
    close: async () => {
      const stopped = once(connection, 'stopped');
      connection.stop();
      await stopped;
      connection.close();
    },
  };
}

// Requests are named as in client 2: describeJobExecution. What is rejected is
// thrown as the SDK has decoded it.

// client1 is for the client that subscribes, publishes and matches replies in steps.
function client1(jobs, thingName) {
  const qos = mqtt.QoS.AtLeastOnce;
  const pending = new Map(); // by token
  const subscribed = new Set();
  let n = 0;
  const settle = (how) => (err, reply) => {
    if (err) throw err;
    pending.get(reply.clientToken)[how](reply);
    pending.delete(reply.clientToken);
  };
  return {
    async ask(operation, request = {}) {
      const name = operation[0].toUpperCase() + operation.slice(1);
      if (!subscribed.has(name + request.jobId)) {
        await jobs[`subscribeTo${name}Accepted`]({ thingName, ...request }, qos, settle('resolve'));
        await jobs[`subscribeTo${name}Rejected`]({ thingName, ...request }, qos, settle('reject'));
        subscribed.add(name + request.jobId);
      }
      const clientToken = `token-${n++}`;
      const reply = new Promise((resolve, reject) => pending.set(clientToken, { resolve, reject }));
      const published = jobs[`publish${name}`]({ thingName, ...request, clientToken }, qos);
      return (await Promise.all([reply, published]))[0]; // the reply may come before PUBACK
    },
    async listen(put) {
      const tell = (kind) => (err, event) => put([kind, err ?? event]);
      await jobs.subscribeToJobExecutionsChangedEvents({ thingName }, qos, tell('notify'));
      await jobs.subscribeToNextJobExecutionChangedEvents({ thingName }, qos, tell('notify-next'));
    },
    close() {},
  };
}

// client2 is for the client that has requests and streams.
function client2(jobs, thingName) {
  return {
    ask: (operation, request) => jobs[operation]({ thingName, ...request }).catch((err) => { throw err.modeledError ?? err; }),
    async listen(put) {
      const streams = {
        notify: jobs.createJobExecutionsChangedStream({ thingName }),
        'notify-next': jobs.createNextJobExecutionChangedStream({ thingName }),
      };
      for (const [kind, stream] of Object.entries(streams)) {
        stream.on('incomingPublish', ({ message }) => put([kind, message]));
        stream.on('incomingPublishError', ({ error }) => put([kind, error]));
        const status = once(stream, 'subscriptionStatus');
        stream.open();
        const [{ type, error }] = await status;
        assert.equal(type, 0, error); // established
      }
    },
    close: () => jobs.close(),
  };
}

const limits = { maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: 20 };
const devices = {
  'sdk2js-1-3': [connect3, (c) => new iotjobs.IotJobsClient(c), client1],
  'sdk2js-1-5': [connect5, (c) => iotjobs.IotJobsClient.newFromMqtt5Client(c), client1],
  'sdk2js-2-3': [connect3, (c) => iotjobs.IotJobsClientv2.newFromMqtt311(c, limits), client2],
  'sdk2js-2-5': [connect5, (c) => iotjobs.IotJobsClientv2.newFromMqtt5(c, limits), client2],
};

// life finishes the first job of a thing and refuses the second.
async function life(device, thing) {
  const { ask } = device;
  const [first, second] = [`${thing}-1`, `${thing}-2`];
  const rejected = async (code, operation, request) => {
    const e = await ask(operation, request).then((reply) => assert.fail(`${operation} is accepted: ${JSON.stringify(reply)}`), (err) => err);
    assert.equal(e.code, code, `${operation}: ${JSON.stringify(e)} ${e}`);
    assert(e.message && e.timestamp, JSON.stringify(e));
    return e.executionState;
  };
  const told = inbox();
  await device.listen(told.put);

  let list = await ask('getPendingJobExecutions');
  assert.deepEqual([list.inProgressJobs, list.queuedJobs.map((x) => x.jobId)], [[], [first, second]]);
  let { execution } = await ask('describeJobExecution', { jobId: '$next', includeJobDocument: true });
  assert.deepEqual([execution.jobId, execution.status, execution.jobDocument.operation], [first, 'QUEUED', 'install']);
  ({ execution } = await ask('startNextPendingJobExecution', { statusDetails: { step: 'download' } }));
  assert.deepEqual([execution.jobId, execution.status, execution.versionNumber], [first, 'IN_PROGRESS', 2]);

  const update = { jobId: first, status: 'IN_PROGRESS', expectedVersion: 2, statusDetails: { step: 'install' }, includeJobExecutionState: true };
  const { executionState } = await ask('updateJobExecution', update);
  assert.deepEqual({ ...executionState }, { status: 'IN_PROGRESS', statusDetails: { step: 'install' }, versionNumber: 3 });
  assert.equal((await rejected('VersionMismatch', 'updateJobExecution', update)).versionNumber, 3);
  await ask('updateJobExecution', { jobId: first, status: 'SUCCEEDED', expectedVersion: 3 });
  const expect = async (kind, check) => {
    const [got, event] = await told.take();
    assert.equal(got, kind, `${event}`);
    check(event);
  };
  await expect('notify', ({ jobs }) => assert.deepEqual([Object.keys(jobs), jobs.QUEUED.map((x) => x.jobId)], [['QUEUED'], [second]]));
  await expect('notify-next', (e) => assert.deepEqual([e.execution.jobId, e.execution.jobDocument.operation], [second, 'install']));
  assert.equal((await rejected('InvalidStateTransition', 'updateJobExecution', { jobId: first, status: 'FAILED' })).status, 'SUCCEEDED');
  assert.equal(await rejected('ResourceNotFound', 'describeJobExecution', { jobId: 'nothing' }), undefined);

  await ask('updateJobExecution', { jobId: second, status: 'REJECTED' });
  await expect('notify', ({ jobs }) => assert.deepEqual(jobs, {}));
  await expect('notify-next', (e) => assert.equal(e.execution, undefined));
  assert.equal((await ask('startNextPendingJobExecution')).execution, undefined);
  list = await ask('getPendingJobExecutions');
  assert.deepEqual([list.inProgressJobs, list.queuedJobs], [[], []]);
}

async function main() {
  assert.deepEqual(Object.keys(devices), things);
  await Promise.all(things.map(async (thing) => {
    const [connect, client, adapt] = devices[thing];
    const { connection, close } = await connect(`test-${thing}`);
    const device = adapt(client(connection), thing);
    await life(device, thing);
    device.close();
    await close();
    console.log(thing);
  }));
}

main().then(() => process.exit(0), (err) => {
  console.error(err);
  process.exit(1);
});
