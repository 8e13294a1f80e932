import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { addressGroup, type ClosedReason, limitConnections } from '../../src/intake/admission.js';

type Parameters_ = Parameters<typeof limitConnections>;

/** A server whose connections come from the addresses that a test names. */
function createServer(limits: Parameters_[1]) {
  const server = new EventEmitter();
  const closed: [string, ClosedReason][] = [];
  const admission = limitConnections(server as unknown as Parameters_[0], limits, (address, reason) =>
    closed.push([address, reason]),
  );
  const connect = (remoteAddress: string) => {
    const socket = Object.assign(new EventEmitter(), {
      remoteAddress,
      isOpen: true,
      destroy() {
        socket.isOpen = false;
        socket.emit('close');
      },
    });
    server.emit('connection', socket);
    const requestOn = () => ({ socket }) as unknown as Parameters<typeof admission.answering>[0];
    const request = requestOn();
    return Object.assign(socket, {
      receives: () => admission.receiving(request),
      /** Another request on the same connection. */
      receivesAnother: () => admission.receiving(requestOn()),
      isAnswered: () => admission.answering(request),
      wasAnswered: () => admission.answered(request),
    });
  };
  return { connect, closed };
}

const LIMITS = { connections: 6, connectionsPerAddress: 4, unfinishedPerAddress: 2, unfinished: 3 };

describe('the connections of a listener', () => {
  it('an address beyond its limit closes its own oldest connection, although there is room for others', () => {
    const { connect, closed } = createServer(LIMITS);
    const flood = Array.from({ length: 5 }, () => connect('192.0.2.1'));
    expect(flood.map(({ isOpen }) => isOpen)).toEqual([false, true, true, true, true]);
    expect(closed).toEqual([['192.0.2.1', 'evicted']]);
  });

  it('a flood of whole requests from one address leaves room for another address', () => {
    const { connect, closed } = createServer(LIMITS);
    for (let count = 0; count < 4; count++) connect('192.0.2.1').isAnswered();
    expect(connect('192.0.2.1').isOpen).toBe(false);
    expect(connect('192.0.2.2').isOpen).toBe(true);
    expect(closed).toEqual([['192.0.2.1', 'refused']]);
  });

  it('an address never closes the request of an address that has fewer, however busy its own are', () => {
    const { connect } = createServer({ ...LIMITS, connections: 4 });
    const other = connect('192.0.2.2');
    for (let count = 0; count < 3; count++) connect('192.0.2.1').isAnswered();
    expect(connect('192.0.2.1').isOpen).toBe(false);
    expect(other.isOpen).toBe(true);
  });

  it('all addresses of one IPv6 network have one limit', () => {
    const { connect } = createServer(LIMITS);
    const first = connect('2001:db8:0:1::1');
    for (let host = 2; host <= 5; host++) connect(`2001:db8:0:1::${host}`);
    expect(first.isOpen).toBe(false);
    expect(connect('2001:db8:0:2::1').isOpen).toBe(true);
  });

  it('an address beyond its unfinished requests loses the oldest of them, and no idle connection', () => {
    const { connect, closed } = createServer(LIMITS);
    const idle = connect('192.0.2.1');
    const unfinished = Array.from({ length: 3 }, () => connect('192.0.2.1'));
    for (const each of unfinished) each.receives();
    expect(unfinished.map(({ isOpen }) => isOpen)).toEqual([false, true, true]);
    expect(idle.isOpen).toBe(true);
    expect(closed).toEqual([['192.0.2.1', 'unfinished']]);
  });

  it('an unfinished request counts although an answered one came before it on its connection', () => {
    const { connect, closed } = createServer(LIMITS);
    const sockets = Array.from({ length: 3 }, () => connect('192.0.2.1'));
    for (const each of sockets) {
      each.receives();
      each.isAnswered();
      each.receivesAnother();
      each.wasAnswered();
    }
    expect(sockets.map(({ isOpen }) => isOpen)).toEqual([false, true, true]);
    expect(closed).toEqual([['192.0.2.1', 'unfinished']]);
  });

  it('beyond the unfinished requests of all addresses, the address that has the most loses its oldest', () => {
    const { connect, closed } = createServer(LIMITS);
    const other = connect('192.0.2.2');
    const flood = [connect('192.0.2.1'), connect('192.0.2.1')];
    const last = connect('192.0.2.3');
    for (const each of [other, ...flood, last]) each.receives();
    expect([other, ...flood, last].map(({ isOpen }) => isOpen)).toEqual([true, false, true, true]);
    expect(closed).toEqual([['192.0.2.1', 'unfinished']]);
  });

  it('a connection that was answered outlives those of its address that never sent a whole request', () => {
    const { connect } = createServer(LIMITS);
    const probe = connect('192.0.2.1');
    probe.isAnswered();
    probe.wasAnswered();
    for (let count = 0; count < 20; count++) connect('192.0.2.1').receives();
    expect(probe.isOpen).toBe(true);
  });

  it('the oldest unfinished request goes by its own age, not by that of its connection', () => {
    const { connect } = createServer(LIMITS);
    const [probe, first, second] = [connect('192.0.2.1'), connect('192.0.2.1'), connect('192.0.2.1')];
    probe.isAnswered();
    probe.wasAnswered();
    for (const each of [first, second, probe]) each.receives();
    expect([probe, first, second].map(({ isOpen }) => isOpen)).toEqual([true, false, true]);
  });

  it('a second request on a connection does not make the answer to the first one end', () => {
    const { connect } = createServer({ ...LIMITS, connectionsPerAddress: 1 });
    const first = connect('192.0.2.1');
    first.isAnswered();
    first.receives();
    expect(connect('192.0.2.1').isOpen).toBe(false);
    expect(first.isOpen).toBe(true);
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:1:aaaa::1', '2001:db8:0:1::/64'],
    ['2001:0db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('the address %j counts as %j', (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });
});
