import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const inNode = (code: string) => ['--import', 'tsx', '--input-type=module', '-e', code];

describe('scopemesh/decisions', () => {
  it('exports what a subscriber needs, and loads no Kafka client before it is asked to consume', async () => {
    const code = `
      import { Module } from 'node:module';
      const exported = await import('./src/decisions/index.ts');
      const loaded = Object.keys(Module._cache).filter((path) => path.includes('/node_modules/kafkajs/'));
      console.log(JSON.stringify({ exported: Object.keys(exported).sort(), loaded }));`;
    const { stdout } = await promisify(execFile)(process.execPath, inNode(code), { cwd: root });
    expect(JSON.parse(stdout)).toEqual({
      exported: [
        'CONTENT_TYPE',
        'Secret',
        'SyncError',
        'consumeDecisions',
        'decisionJsonSchema',
        'parseCloudEvent',
        'readDecisionFile',
        'streamDecisions',
        'toCloudEvent',
      ],
      loaded: [],
    });
  });
});
