import { expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.js';
import { entryWrites } from './entry-writes.js';
import { type ConsulRig, nameOf, never, newSource, requireWritten } from './rig.js';

export function intentions(theRig: () => ConsulRig): void {
  entryWrites(theRig);

  it('permissions that deny, and whatever else scopemesh does not write, read as other', async () => {
    const { fresh, read, request, setProtocol } = theRig();
    const orders = fresh('orders');
    await setProtocol(orders, 'http');
    const http = { PathPrefix: '/' };
    await request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: orders,
      Sources: [
        {
          Name: 'web',
          Permissions: [
            { Action: 'deny', HTTP: http },
            { Action: 'allow', HTTP: http },
          ],
        },
      ],
    });
    expect((await read(orders)).sources[0]?.access).toEqual({ kind: 'other' });
  });

  it('foreign content survives a write byte for byte', async () => {
    const { consul, fresh, rawEntryOf, read, request, setProtocol } = theRig();
    const orders = fresh('orders');
    await setProtocol(orders, 'http');
    const text = 'ünï © <b>&amp;</b> "q" \\ \u2028 😀';
    await request(
      'PUT',
      '/v1/config',
      `{"Kind":"service-intentions","Name":"${orders}",
        "Meta":{"__proto__":"p","constructor":"c","10":"ten","2":"two","text":${JSON.stringify(text)},"empty":""},
        "Sources":[
          {"Name":"*","Action":"deny","Description":${JSON.stringify(text)}},
          {"Name":"hand-made","Description":"by hand","Permissions":[
            {"Action":"deny","HTTP":{"PathExact":"/admin","Methods":["PUT","DELETE"]}},
            {"Action":"allow","HTTP":{"PathRegex":"/x/.*","Header":[{"Name":"a","Present":true,"Invert":true},{"Name":"b","Exact":"1"}]}}]},
          {"Name":"plain","Action":"allow"}]}`,
    );
    const before = await rawEntryOf(orders);
    const current = await read(orders);
    const ours = newSource('web', { kind: 'http', permissions: [{ methods: ['GET'], pathPrefix: '/' }] });
    requireWritten(
      await consul.intentions.write(
        nameOf(orders),
        current,
        [...current.sources, ours],
        current.modifyIndex,
        never,
      ),
    );
    const after = await rawEntryOf(orders);
    const foreign = after.Sources.filter((source) => source.Name !== 'web');
    const { ModifyIndex: _, Sources: __, ...fields } = after;
    const { ModifyIndex: ___, Sources: ____, ...fieldsBefore } = before;
    expect(JSON.stringify(foreign)).toBe(JSON.stringify(before.Sources));
    expect(JSON.stringify(fields)).toBe(JSON.stringify(fieldsBefore));
    expect(after.Sources).toHaveLength(before.Sources.length + 1);
    const withOurs = await read(orders);
    const rest = withOurs.sources.filter((source) => source.name !== 'web');
    requireWritten(
      await consul.intentions.write(nameOf(orders), withOurs, rest, withOurs.modifyIndex, never),
    );
    const { ModifyIndex: _____, ...last } = await rawEntryOf(orders);
    const { ModifyIndex: ______, ...first } = before;
    expect(JSON.stringify(last)).toBe(JSON.stringify(first));
  });

  it('content that Consul refuses throws ERR_CONSUL_REJECTED with its words', async () => {
    const { consul, fresh, setProtocol } = theRig();
    const tcp = fresh('tcp');
    await setProtocol(tcp, 'tcp');
    const l7 = newSource('web', { kind: 'http', permissions: [{ pathPrefix: '/' }] });
    const failure = await failureOf(consul.intentions.write(nameOf(tcp), undefined, [l7], 0, never));
    expect(failure.code).toBe('ERR_CONSUL_REJECTED');
    expect(failure.message).toContain('protocol "tcp"');
    expect(failure.retriable).toBe(false);
    const none = consul.intentions.write(nameOf(tcp), undefined, [], 0, never);
    expect((await failureOf(none)).code).toBe('ERR_CONSUL_REJECTED');
  });
}
