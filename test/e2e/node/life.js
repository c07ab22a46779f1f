// Devices with the MQTT clients of Node.js: each does the two jobs of its thing
// and ends when none is left. Its argument is JSON: where the server listens and
// which files prove who a device is. Prints a line for each client that is done.
'use strict';

const fs = require('node:fs');
const mqtt = require('mqtt');
const { jobs } = require('aws-iot-device-sdk');

const { plain, secure, web, ca, cert, key, things } = JSON.parse(process.argv[2]);
const port = (address) => Number(address.slice(address.lastIndexOf(':') + 1));
const files = { ca: fs.readFileSync(ca), cert: fs.readFileSync(cert), key: fs.readFileSync(key) };

// withMQTT is a device on mqtt.js: it starts what is next until nothing is.
async function withMQTT(thing, url, options) {
  const client = await mqtt.connectAsync(url, { clientId: thing, reconnectPeriod: 0, ...options }, false);
  const base = `$aws/things/${thing}/jobs/`;
  const waiting = [];
  const come = [];
  client.on('message', (topic, payload) => {
    const m = { topic: topic.slice(base.length), body: JSON.parse(payload) };
    const next = waiting.shift();
    next ? next(m) : come.push(m);
  });
  const receive = async (topic) => {
    const m = come.length ? come.shift() : await new Promise((done) => waiting.push(done));
    if (m.topic !== topic) throw new Error(`${thing}: got ${m.topic} ${JSON.stringify(m.body)}, want ${topic}`);
    return m.body;
  };
  const ask = async (topic, body) => {
    await client.publishAsync(base + topic, JSON.stringify(body), { qos: 1 });
    const reply = await receive(topic + '/accepted');
    if (reply.clientToken !== body.clientToken) throw new Error(`${thing}: token ${reply.clientToken}`);
    return reply;
  };
  await client.subscribeAsync(base + 'notify-next', { qos: 1 });
  let done = 0;
  for (;;) {
    const { execution } = await ask('start-next', { clientToken: `start-${done}` });
    if (!execution) break;
    if (execution.jobDocument.operation !== 'install') throw new Error(`${thing}: document ${JSON.stringify(execution.jobDocument)}`);
    const update = `${execution.jobId}/update`;
    await ask(update, { status: 'IN_PROGRESS', statusDetails: { progress: 50 }, expectedVersion: execution.versionNumber });
    await ask(update, { status: 'SUCCEEDED', expectedVersion: String(execution.versionNumber + 1) });
    await receive('notify-next');
    done++;
  }
  await client.endAsync();
  return done;
}

// withSDK is a device on the SDK's own class for jobs.
function withSDK(thing) {
  return new Promise((resolve, reject) => {
    const device = jobs({
      clientId: `sdk-${thing}`, protocol: 'mqtts', host: '127.0.0.1', port: port(secure), caPath: ca, certPath: cert, keyPath: key,
    });
    let done = 0;
    const seen = new Set();
    device.on('error', reject);
    device.subscribeToJobs(thing, 'install', (err, job) => {
      if (err) return reject(err);
      if (seen.has(job.id)) return; // told by $next/get and by notify-next
      seen.add(job.id);
      job.inProgress({ progress: 50 }, () => job.succeeded({ by: 'sdk' }, () => {
        if (++done === 2) device.end(false, () => resolve(done));
      }));
    });
    device.on('connect', () => device.startJobNotifications(thing));
  });
}

async function main() {
  const clients = {
    'mqttjs-4-tcp': (thing) => withMQTT(thing, plain, { protocolVersion: 4 }),
    'mqttjs-5-tcp': (thing) => withMQTT(thing, plain, { protocolVersion: 5 }),
    'mqttjs-5-tls': (thing) => withMQTT(thing, secure, { protocolVersion: 5, ...files }),
    'mqttjs-4-web': (thing) => withMQTT(thing, web, { protocolVersion: 4 }),
    sdkjs: withSDK,
  };
  await Promise.all(things.map(async (thing) => {
    const done = await clients[thing](thing);
    if (done !== 2) throw new Error(`${thing}: ${done} jobs are done, want 2`);
    console.log(thing);
  }));
}

main().then(() => process.exit(0), (err) => {
  console.error(err);
  process.exit(1);
});
