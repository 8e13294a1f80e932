import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { startScopemesh } from '../e2e/scopemesh.js';
import { installed, isInstalled } from '../stack/installed.js';
import { freePort } from '../stack/ports.js';
import { createRunDirectory, removeRunDirectory, startProcess, until } from '../stack/process.js';
import { createRig } from '../support/daemon.js';
import { createDecisionReader } from '../support/decision-reader.js';
import { until as untilSoon } from '../support/until.js';

interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes?: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
}

/** A real collector, which writes each request as a line of JSON. */
async function startCollector() {
  const directory = await createRunDirectory('collector');
  const endpoint = `127.0.0.1:${await freePort()}`;
  const file = (signal: string) => join(directory, `${signal}.jsonl`);
  const pipeline = (signal: string) => ({ receivers: ['otlp'], exporters: [`file/${signal}`] });
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint } } } },
    exporters: { 'file/traces': { path: file('traces') }, 'file/metrics': { path: file('metrics') } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: pipeline('traces'), metrics: pipeline('metrics') },
    },
  };
  await writeFile(join(directory, 'collector.yaml'), stringify(config));
  const collector = await startProcess({
    name: 'collector',
    command: await installed('collector'),
    args: ['--config', join(directory, 'collector.yaml')],
    logFile: join(directory, 'collector.log'),
  });
  onTestFinished(async () => {
    await collector.kill();
    await removeRunDirectory(directory);
  });
  const answers = () => fetch(`http://${endpoint}/v1/traces`).then(() => true);
  await until('the collector answers', answers, { process: collector });
  /** What it got of a signal, once it is so. */
  const got = (signal: string, isSo: (lines: readonly unknown[]) => boolean): Promise<readonly unknown[]> =>
    until(`the ${signal}`, () => {
      const text = existsSync(file(signal)) ? readFileSync(file(signal), 'utf8') : '';
      const lines = text
        .split('\n')
        .slice(0, -1)
        .map((line): unknown => JSON.parse(line));
      return isSo(lines) ? lines : undefined;
    });
  return { endpoint: `http://${endpoint}`, got };
}

const spansIn = (lines: readonly unknown[]): readonly CollectedSpan[] =>
  lines.flatMap((line) =>
    Object(line).resourceSpans.flatMap(({ scopeSpans }: { scopeSpans: { spans: CollectedSpan[] }[] }) =>
      scopeSpans.flatMap(({ spans }) => spans),
    ),
  );

describe.skipIf(!isInstalled('collector'))(
  'with a real collector (skipped without `bash test/stack/install.sh collector`, which `npm run faults` runs)',
  () => {
    it('sends one trace from the webhook to the published decision, and the metrics', async () => {
      const { endpoint, got } = await startCollector();
      const rig = await createRig({ clients: [{ clientId: 'web-app', scopes: [] }] });
      onTestFinished(() => rig.close());
      await rig.mesh.register('orders');
      await rig.mesh.speaks('orders', 'http');
      await rig.mesh.register('web', { client: 'web-app' });
      rig.idp.put('web-app', 'orders:read');
      rig.idp.change('web-app', { attributes: { 'consul-services': 'web' } });
      rig.writeFile({ telemetry: { endpoint, headers: { authorization: 'Bearer collector-token' } } });
      const { config, text } = {
        config: await rig.load(),
        text: readFileSync(join(rig.directory, 'scopemesh.yaml'), 'utf8'),
      };
      expect(config.telemetry?.endpoint).toBe(endpoint);
      const listen = `127.0.0.1:${await freePort()}`;
      const scopemesh = await startScopemesh({
        listen,
        configuration: ({ directory }) =>
          text
            .replace(/listen: .*/, `listen: ${listen}`)
            .replace(`directory: ${rig.directory}\n`, `directory: ${directory}\n`),
      });
      onTestFinished(() => scopemesh.dispose());
      await scopemesh.ready();
      await scopemesh.idle();

      rig.idp.put('web-app');
      const { headers, body } = rig.idp.sign({ type: 'client.updated', data: { clientId: 'web-app' } });
      const sent = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body };
      expect((await fetch(`${scopemesh.address}/events/main`, sent)).status).toBe(202);
      const log = createDecisionReader(scopemesh.stateDirectory);
      onTestFinished(() => log.close());
      const revoked = await untilSoon('the revocation', async () =>
        (await log.read()).find(({ action, outcome }) => action === 'revoke' && outcome === 'applied'),
      );
      const [, traceId, spanId] = revoked.cause.traceparent?.split('-') ?? [];
      expect(await scopemesh.stop()).toBe(0);

      const lines = await got('traces', (all) => spansIn(all).some(({ name }) => name === 'publish'));
      const spans = spansIn(lines).filter((span) => span.traceId === traceId);
      const named = (name: string) => spans.filter((span) => span.name === name);
      const fieldsOf = ({ attributes = [] }: CollectedSpan) =>
        Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
      const receive = named('receive');
      expect(receive.map(({ spanId: id }) => id)).toEqual([spanId]);
      expect(named('job').map((span) => [fieldsOf(span)['scopemesh.key'], span.parentSpanId])).toEqual(
        expect.arrayContaining([
          [expect.stringContaining('client'), spanId],
          [expect.stringContaining('orders'), spanId],
        ]),
      );
      const jobs = new Set(named('job').map((span) => span.spanId));
      for (const name of ['read', 'plan', 'write']) {
        expect(named(name).length, name).toBeGreaterThan(0);
        for (const { parentSpanId = '' } of named(name)) expect(jobs, name).toContain(parentSpanId);
      }
      expect(named('publish').map(({ parentSpanId }) => parentSpanId)).toContain(spanId);

      const metrics = JSON.stringify(await got('metrics', (all) => all.length > 0));
      for (const name of [
        'scopemesh_owned_edges',
        'scopemesh_decisions_total',
        'scopemesh_job_seconds',
        'process_resident_memory_bytes',
      ])
        expect(metrics).toContain(`"name":"${name}"`);
      expect(await scopemesh.log()).not.toContain('telemetry');
    });
  },
);
