import { describe, expect, it } from 'vitest';
import type { Access, IntentionEntry, ServiceName } from '../../src/model/intention.js';
import { aclResidual, intentionResidual, quarantineResidual } from '../../src/plan/residual.js';
import { serviceText } from '../../src/plan/world.js';

const named = (name: string): ServiceName => ({ partition: 'default', namespace: 'default', name });
const ALLOW: Access = { kind: 'allow' };
/** An entry with these sources, by name; `*mine` is owned. */
const entry = (destination: string, sources: Readonly<Record<string, Access>>): IntentionEntry => ({
  destination: named(destination),
  sources: Object.entries(sources).map(([name, access]) => ({
    ...named(name.replace(' of ours', '')),
    description: name.endsWith(' of ours') ? 'scopemesh:payments main/web-app' : '',
    access,
    isLegacy: false,
    raw: {},
  })),
  meta: {},
  modifyIndex: 1,
  raw: {},
});
const orders = { destination: named('orders'), entry: undefined, wildcard: undefined, isManifest: false };
const closed = { narrows: true, after: undefined, source: named('web'), reason: 'ScopeRevoked' } as const;

describe('what remains of an edge', () => {
  it('is the next requests, open streams, and tokens whose end nothing shows: a lifetime is a lower end', () => {
    expect(intentionResidual(closed, { ...orders, protocol: 'http' })).toEqual({
      nextRequests: true,
      openStreamsSeconds: 'unknown',
      accessTokensUntil: 'unknown',
    });
  });

  it('has no next request for tcp, where the connection is the stream', () => {
    const { nextRequests } = intentionResidual(closed, { ...orders, protocol: 'tcp' }) ?? {};
    expect(nextRequests).toBeUndefined();
  });

  it('is the whole access until consul-k8s has brought the manifest to Consul', () => {
    const { untilSynced } = intentionResidual(closed, { ...orders, protocol: 'tcp', isManifest: true }) ?? {};
    expect(untilSynced).toBe(true);
  });

  it('is nothing for a change that only widens', () => {
    const opened = { ...closed, narrows: false, after: ALLOW };
    expect(intentionResidual(opened, { ...orders, protocol: 'http' })).toBeUndefined();
  });

  it('says nothing about tokens where the provider still issues them', () => {
    const changed = { ...closed, reason: 'MappingChanged' } as const;
    const { accessTokensUntil } = intentionResidual(changed, { ...orders, protocol: 'tcp' }) ?? {};
    expect(accessTokensUntil).toBeUndefined();
  });

  it('names a wider intention of others that takes effect', () => {
    const wildcard = entry('*', { '*': ALLOW });
    const residual = intentionResidual(closed, { ...orders, wildcard, protocol: 'tcp' });
    expect(residual?.foreignAllows).toEqual(['* -> orders']);
    const kept = { ...closed, after: { kind: 'deny' } as const };
    expect(intentionResidual(kept, { ...orders, wildcard, protocol: 'tcp' })?.foreignAllows).toBeUndefined();
  });
});

describe('what remains of access to Consul', () => {
  it('is what agents cache, or that this is not known', () => {
    const cache = { roleSeconds: 0, policySeconds: 30, tokenSeconds: 30 };
    expect(aclResidual('ClientDisabled', cache)).toEqual({
      agentCache: cache,
      accessTokensUntil: 'unknown',
    });
    expect(aclResidual('ClientDisabled', undefined).agentCache).toBe('unknown');
  });
});

describe('what remains of a client in quarantine', () => {
  it('is each intention of others that decides and allows, and tokens without an end', () => {
    const entries = new Map(
      [
        entry('orders', { web: ALLOW }),
        entry('stock', { 'web of ours': ALLOW }),
        entry('mail', { web: { kind: 'deny' }, '*': ALLOW }),
        entry('bills', { '*': ALLOW }),
      ].map((each) => [serviceText(each.destination), each]),
    );
    expect(quarantineResidual([named('web')], entries, 'payments')).toEqual({
      accessTokensUntil: 'unknown',
      foreignAllows: ['* -> bills', 'web -> orders'],
    });
  });

  it('names 20 of them at most', () => {
    const many = Array.from({ length: 30 }, (_, at) => entry(`service-${at}`, { web: ALLOW }));
    const entries = new Map(many.map((each) => [serviceText(each.destination), each]));
    expect(quarantineResidual([named('web')], entries, 'payments').foreignAllows).toHaveLength(20);
  });
});
