import { expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.js';
import { type ConsulRig, nameOf, never, newSource } from './rig.js';

export function permissions(theRig: () => ConsulRig): void {
  it('a write that the token may not make throws ERR_CONSUL_DENIED and names what is missing', async () => {
    const { connect, fresh, tokenWith } = theRig();
    const orders = fresh('orders');
    const weak = connect(await tokenWith(`service_prefix "" { policy = "read" }`));
    const failure = await failureOf(
      weak.intentions.write(nameOf(orders), undefined, [newSource('web')], 0, never),
    );
    expect(failure.code).toBe('ERR_CONSUL_DENIED');
    expect(failure.message).toContain(`intention:write on "${orders}"`);
    const record = { provider: 'main', clientId: 'c', service: nameOf('web') };
    const denied = await weak.claims.write([{ do: 'create', record }], never);
    expect(denied).toEqual([{ kind: 'refused', detail: expect.stringContaining('lacks key:write') }]);
  });

  it('an entry that the token may not read throws ERR_CONSUL_DENIED instead of reading as none', async () => {
    const { connect, create, fresh, tokenWith } = theRig();
    const orders = fresh('orders');
    await create(orders, newSource('web'));
    const weak = connect(await tokenWith('node_prefix "" { policy = "read" }'));
    expect((await failureOf(weak.intentions.read(nameOf(orders), never))).code).toBe('ERR_CONSUL_DENIED');
  });

  it('the least token that scopemesh needs reads and writes everything, wildcards included', async () => {
    const { connect, fresh, request, setProtocol, tokenWith } = theRig();
    const rules = [
      'service_prefix "" { policy = "read" intentions = "write" }',
      'node_prefix "" { policy = "read" }',
      'agent_prefix "" { policy = "read" }',
      'key_prefix "scopemesh/payments/" { policy = "write" }',
    ];
    const least = connect(await tokenWith(rules.join('\n')));
    const deny = [{ Name: '*', Action: 'deny' }];
    await request('PUT', '/v1/config', { Kind: 'service-intentions', Name: '*', Sources: deny });
    const orders = fresh('orders');
    await setProtocol(orders, 'http');
    const written = await least.intentions.write(nameOf(orders), undefined, [newSource('web')], 0, never);
    expect(written.kind).toBe('written');
    const names = (await least.intentions.list(never)).map(({ destination }) => destination.name);
    expect(names).toEqual(expect.arrayContaining(['*', orders]));
    expect((await least.readCatalog(never)).protocols.get(orders)).toBe('http');
    const claim = { provider: 'main', clientId: fresh('client'), service: nameOf('web') };
    expect(await least.claims.write([{ do: 'create', record: claim }], never)).toMatchObject([
      { kind: 'written' },
    ]);
    const record = (await least.claims.list(never)).find(({ clientId }) => clientId === claim.clientId);
    if (record === undefined) throw new Error('there is no record');
    expect(await least.claims.write([{ do: 'delete', record }], never)).toMatchObject([{ kind: 'written' }]);
    expect((await least.inspect(never)).defaultPolicy).toBe('deny');
    await request('DELETE', '/v1/config/service-intentions/*');
  });

  it('lists that ACLs filter throw ERR_CONSUL_INCOMPLETE', async () => {
    const { connect, create, fresh, register, request, tokenWith } = theRig();
    await create(fresh('orders'), newSource('web'));
    await register({ ID: fresh('hidden'), Service: 'hidden' });
    await request('PUT', '/v1/kv/scopemesh/payments/claims/other/x', '{}');
    const weak = connect(await tokenWith('service "web" { policy = "read" }'));
    expect((await failureOf(weak.intentions.list(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    expect((await failureOf(weak.readCatalog(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    expect((await failureOf(weak.claims.list(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    await request('DELETE', '/v1/kv/scopemesh/payments/claims/other/x');
  });

  it('services seen without their nodes throw ERR_CONSUL_INCOMPLETE, for their instances are hidden', async () => {
    const { connect, fresh, register, tokenWith } = theRig();
    await register({ ID: fresh('hidden'), Service: 'hidden' });
    const weak = connect(await tokenWith('service_prefix "" { policy = "read" intentions = "read" }'));
    expect((await failureOf(weak.readCatalog(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
  });

  it('no token at all throws ERR_CONSUL_DENIED, where Consul itself answers with empty lists', async () => {
    const { connect } = theRig();
    const anonymous = connect(undefined);
    expect((await failureOf(anonymous.intentions.list(never))).code).toBe('ERR_CONSUL_DENIED');
    expect((await failureOf(anonymous.readCatalog(never))).code).toBe('ERR_CONSUL_DENIED');
    expect((await failureOf(anonymous.claims.list(never))).code).toBe('ERR_CONSUL_DENIED');
  });

  it('a token that Consul does not know throws ERR_CONSUL_DENIED', async () => {
    const { connect } = theRig();
    const stranger = connect('00000000-aaaa-bbbb-cccc-000000000000');
    const failure = await failureOf(stranger.intentions.list(never));
    expect(failure.code).toBe('ERR_CONSUL_DENIED');
    expect(failure.message).toContain('does not know this ACL token');
    expect((await failureOf(stranger.inspect(never))).code).toBe('ERR_CONSUL_DENIED');
  });
}
