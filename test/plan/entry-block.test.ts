import { describe, expect, it } from 'vitest';
import { BROKEN_MANIFEST, WITHOUT_MANIFEST } from '../../src/model/intention.js';
import { entryBlock, managedByText } from '../../src/plan/entry-block.js';
import { ALLOW, entry, source } from './scene.js';

const of = (meta: Readonly<Record<string, string>>) => ({ ...entry('orders', source('web', ALLOW)), meta });
const EXTERNAL = 'external-source';

describe('an entry of another writer', () => {
  it.each([
    ['kubernetes', 'consul-k8s makes it', 'whose spec.destination.name is "orders"'],
    [WITHOUT_MANIFEST, 'no manifest makes it', 'consul config delete -kind service-intentions -name orders'],
    [
      `${BROKEN_MANIFEST}the manifest has no name`,
      'its manifest cannot be read',
      'the manifest has no name; nothing changes',
    ],
    ['terraform', 'terraform manages it', 'another tool manages this entry'],
  ])('%s is held as a whole, and says who that is and what to do', (externalSource, who, remedy) => {
    expect(managedByText(of({ [EXTERNAL]: externalSource }))).toContain(who);
    const block = entryBlock(of({ [EXTERNAL]: externalSource }));
    expect(block?.reason).toBe('ManagedElsewhere');
    expect(block?.detail).toContain(remedy);
  });

  it('is managed by another tool if only its datacenter is named', () => {
    const far = of({ 'consul.hashicorp.com/source-datacenter': 'dc2' });
    expect(managedByText(far)).toBe('another tool manages it');
    expect(entryBlock(far)).toMatchObject({
      reason: 'ManagedElsewhere',
      detail: expect.stringContaining('another tool manages this entry'),
    });
  });

  it('is not one without such Meta', () => {
    expect(managedByText(of({}))).toBeUndefined();
    expect(entryBlock(of({}))).toBeUndefined();
    expect(entryBlock(entry('orders', source('web', ALLOW, '', { isLegacy: true })))).toMatchObject({
      reason: 'LegacyEntry',
      detail: expect.stringContaining('create them again'),
    });
  });
});
