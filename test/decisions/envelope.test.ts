import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { decisionJsonSchema } from '../../src/decisions/decision-schema.js';
import { parseCloudEvent, toCloudEvent } from '../../src/decisions/envelope.js';
import { typeSchemas } from '../../src/decisions/type-schemas.js';
import { canonicalJson } from '../../src/model/canonical-json.js';
import type { Decision } from '../../src/model/decision.js';
import { Secret } from '../../src/model/secret.js';
import { assertNoSecret } from '../support/assert-no-secret.js';
import { decision } from '../support/decisions.js';

const docs = new URL('../../docs/', import.meta.url);
const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';

const validate = new Ajv2020({ strict: true, formats: { 'date-time': true } }).compile(decisionJsonSchema());

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const someDecision: fc.Arbitrary<Decision> = fc
  .record({
    client: optional(
      fc.record({ provider: fc.string(), clientId: fc.string(), actorKind: fc.constant('agent') }),
    ),
    person: optional(
      fc.record(
        {
          provider: fc.string(),
          subject: fc.string(),
          group: fc.string(),
          actorKind: fc.constant('human'),
        },
        { requiredKeys: ['provider', 'actorKind'] },
      ),
    ),
    scopes: optional(fc.array(fc.string())),
    principal: optional(fc.record({ id: fc.stringMatching(/^[a-z@.]*$/) })),
    before: optional(fc.dictionary(fc.stringMatching(/^[a-z]+$/), fc.integer())),
    detail: optional(fc.stringMatching(/^[ -~]*$/)),
    consul: optional(fc.record({ modifyIndex: fc.nat() })),
    revision: fc.integer({ min: 1 }),
    latencyMs: optional(fc.double({ min: 0, max: 1e9, noNaN: true })),
  })
  .map((changes) => {
    const present = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
    const { client, scopes, principal, before, detail, consul, latencyMs, ...rest } = decision();
    return { ...rest, ...present };
  });

describe('the decision event', () => {
  it('has the trace of its cause as an attribute of its own, and keeps it', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const traced = decision({ cause: { ...decision().cause, traceparent } });
    const event = toCloudEvent(traced);
    expect(event).toMatchObject({ traceparent });
    expect(event.data.cause).not.toHaveProperty('traceparent');
    expect(validate(event)).toBe(true);
    expect(parseCloudEvent(event)).toEqual(traced);
  });

  it('has the form that the contract shows', () => {
    const written = decision({ id: '01J', revision: 7 });
    expect(toCloudEvent(written)).toEqual({
      specversion: '1.0',
      id: '01J',
      time: '2026-03-01T10:00:00.000Z',
      source: 'scopemesh/payments/replica-1',
      type: 'dev.scopemesh.intention.updated',
      subject: 'intention/default/default/orders/web',
      datacontenttype: 'application/json',
      data: {
        action: 'revoke',
        outcome: 'applied',
        reason: 'ScopeRevoked',
        resource: {
          kind: 'intention',
          source: 'web',
          destination: 'orders',
          namespace: 'default',
          partition: 'default',
        },
        client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
        scopes: ['orders:write'],
        principal: { id: 'alice', ip: '192.0.2.7' },
        cause: { kind: 'webhook', eventId: 'e-1', receivedAt: '2026-03-01T09:59:59.990Z' },
        before: written.before,
        after: { kind: 'deny' },
        consul: { modifyIndex: 812 },
        mappingRevision: 'sha256:00',
        revision: 7,
        latencyMs: 11.4,
      },
    });
  });

  it('comes back as the decision it was, from the object and from its text', () => {
    fc.assert(
      fc.property(someDecision, (written) => {
        const event = toCloudEvent(written);
        expect(parseCloudEvent(JSON.stringify(event))).toEqual(JSON.parse(JSON.stringify(written)));
        expect(parseCloudEvent(JSON.parse(JSON.stringify(event)))).toEqual(parseCloudEvent(event));
      }),
    );
  });

  it('satisfies the published schema whatever the decision holds', () => {
    fc.assert(
      fc.property(someDecision, (written) => {
        const valid = validate(JSON.parse(JSON.stringify(toCloudEvent(written))));
        expect(validate.errors ?? []).toEqual([]);
        expect(valid).toBe(true);
      }),
    );
  });

  it('takes the principal from the cause when the decision names none', () => {
    const { principal, ...rest } = decision();
    const event = toCloudEvent({ ...rest, cause: { ...rest.cause, principal: { id: 'bob' } } });
    expect(event.data.principal).toEqual({ id: 'bob' });
    expect(event.data.cause).not.toHaveProperty('principal');
  });

  it('leaves out every field that is absent', () => {
    const { client, scopes, principal, before, after, consul, latencyMs, ...bare } = decision();
    expect(Object.keys(toCloudEvent(bare).data)).toEqual([
      'action',
      'cause',
      'mappingRevision',
      'outcome',
      'reason',
      'resource',
      'revision',
    ]);
  });

  it('has its members in the order of canonical JSON, so that nothing is sorted for its hash', () => {
    const hash = '0'.repeat(64);
    const event = toCloudEvent(
      decision({
        before: null,
        after: { access: 'http', permissions: [{ methods: ['GET'], pathExact: '/orders' }] },
        chain: { log: 'l', sequence: 1, previousHash: hash, hash },
        changeReason: 'ScopeRevoked',
        detail: 'why',
        writeId: 'w',
        residual: {
          nextRequests: true,
          openStreamsSeconds: 600,
          agentCache: { policySeconds: 1, roleSeconds: 2, tokenSeconds: 3 },
          accessTokensUntil: 'unknown',
          untilSynced: true,
          foreignAllows: ['a -> b'],
        },
        cause: { ...decision().cause, traceparent: '00-1-2-01' },
      }),
    );
    expect(JSON.stringify(event)).toBe(canonicalJson(event));
    expect(Object.keys(event.data)).toHaveLength(19);
  });

  it('passes over fields that a later version adds', () => {
    const event = toCloudEvent(decision());
    const later = { ...event, sequence: 9, data: { ...event.data, hash: 'sha256:11' } };
    expect(parseCloudEvent(later)).toEqual(parseCloudEvent(event));
    expect(validate(later)).toBe(true);
  });

  it.each([
    ['text that is not JSON', '{'],
    ['no object', null],
    ['another version of CloudEvents', { ...toCloudEvent(decision()), specversion: '0.3' }],
    ['a type of another program', { ...toCloudEvent(decision()), type: 'com.example.created' }],
    ['no revision', { ...toCloudEvent(decision()), data: { ...toCloudEvent(decision()).data, revision: 0 } }],
    ['a time is invalid', { ...toCloudEvent(decision()), time: 'now' }],
  ])('refuses %s', (_, event) => {
    expect(() => parseCloudEvent(event)).toThrowError(expect.objectContaining({ code: 'ERR_EVENT_INVALID' }));
  });

  it('never repeats a value in the refusal', () => {
    const event = { ...toCloudEvent(decision()), type: `x.${JWT}` };
    expect(() => parseCloudEvent(event)).toThrowError(/^Not a decision event: type /);
  });

  it('holds no secret, wherever one was put', () => {
    const secret = 'correct horse battery staple';
    const event = toCloudEvent(
      decision({
        before: {
          wrapped: new Secret(secret),
          list: [new Secret(secret), `x ${JWT} y`],
          permissions: [{ headers: [{ name: 'Authorization', exact: secret }] }],
        },
        after: { Permissions: [{ HTTP: { Header: [{ Name: 'cookie', Prefix: secret }] } }] },
        detail: `Consul answered 403 to Bearer ${'a1b2'.repeat(8)}`,
      }),
    );
    assertNoSecret(event, [secret, 'a1b2a1b2']);
    expect(event.data.detail).toBe('Consul answered 403 to Bearer [secret]');
  });

  it('keeps ordinary words', () => {
    const detail = 'It has basic permissions and bearer certificates; eyJ is no token.';
    expect(toCloudEvent(decision({ detail })).data.detail).toBe(detail);
  });

  it('keeps what a header match on an ordinary header compares with', () => {
    const after = { permissions: [{ headers: [{ name: 'x-team', exact: 'orders' }] }] };
    expect(toCloudEvent(decision({ after })).data.after).toEqual(after);
  });
});

describe('the test of secrets', () => {
  it.each([
    ['a JWT', { a: [JWT] }],
    ['an Authorization header', 'authorization: Bearer abcdefgh1234'],
    ['the secret', { a: 's3cret value' }],
    ['the secret in base64', { a: Buffer.from('s3cret value').toString('base64') }],
  ])('finds %s', (_, value) => {
    expect(() => assertNoSecret(value, ['s3cret value'])).toThrowError(/^it holds/);
  });
});

describe('the published description', () => {
  it('has the schema that the code generates; write it with `npx tsx src/decisions/write-schema.ts`', () => {
    expect(JSON.parse(readFileSync(new URL('decision.schema.json', docs), 'utf8'))).toEqual(
      decisionJsonSchema(),
    );
  });

  it('has the schemas of the types that the code generates', () => {
    const written = readdirSync(new URL('schemas/', docs)).map((file) => [
      file,
      JSON.parse(readFileSync(new URL(`schemas/${file}`, docs), 'utf8')),
    ]);
    const generated = [...typeSchemas()].map(([name, schema]) => [`${name}.schema.json`, schema]);
    expect(Object.fromEntries(written)).toEqual(Object.fromEntries(generated));
  });

  it('is an AsyncAPI document that refers to all these schemas and has the version of the package', () => {
    const asyncapi: unknown = parse(readFileSync(new URL('asyncapi.yaml', docs), 'utf8'));
    const version: unknown = JSON.parse(readFileSync(new URL('../package.json', docs), 'utf8')).version;
    expect(asyncapi).toMatchObject({ asyncapi: '3.0.0', info: { version } });
    const referred = [...JSON.stringify(asyncapi).matchAll(/"\.\/schemas\/([a-z-]+)\.schema\.json"/g)];
    expect(referred.map(([, name]) => name).toSorted()).toEqual([...typeSchemas().keys()].toSorted());
  });
});
