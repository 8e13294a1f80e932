import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { principalOf } from '../../../support/entra/entra.js';
import { guidOf } from '../../../support/entra/tenant.js';
import { keysOf, type PollRig, startPollRig, triggersOf } from '../poll-rig.js';

const signal = new AbortController().signal;
let rig: PollRig;
beforeEach(async () => {
  rig = await startPollRig();
  rig.entra.addBlueprint('blueprint');
  rig.entra.addAgent('bot', 'blueprint');
  rig.entra.addAgent('other', 'another');
});
afterEach(() => rig.stop());

describe('a change of the blueprint of agent identities', () => {
  it.each([
    ['disabled', () => rig.entra.changePrincipal('blueprint', { accountEnabled: false })],
    ['deactivated', () => rig.entra.deactivate('blueprint')],
  ])('that is %s leads to a complete comparison, with evidence about only its agents', async (_, disable) => {
    const { parts, poll } = rig;
    await parts.directory.readAll(signal);
    await poll();
    disable();
    const result = await poll();
    expect(keysOf(result)).toContain(`clientId ${guidOf('blueprint')}`);
    const ofAgents = triggersOf(result).filter(({ fullRead }) => fullRead);
    expect(ofAgents.length).toBeGreaterThan(0);
    for (const trigger of ofAgents)
      expect(trigger).toMatchObject({
        key: { kind: 'provider' },
        urgent: true,
        evidence: [{ provider: 'main', clients: [principalOf('bot')], internalIds: [principalOf('bot')] }],
      });
  });

  it('that is enabled again leads to a complete comparison, without evidence', async () => {
    const { entra, parts, poll } = rig;
    entra.changePrincipal('blueprint', { accountEnabled: false });
    await parts.directory.readAll(signal);
    await poll();
    entra.changePrincipal('blueprint', { accountEnabled: true });
    const [, ofAgents] = triggersOf(await poll());
    expect(ofAgents).toMatchObject({ key: { kind: 'provider' }, fullRead: true, urgent: true });
    expect(ofAgents).not.toHaveProperty('evidence');
  });

  it('leads to a complete comparison before anything was read, because its agents are unknown', async () => {
    const { entra, poll } = rig;
    await poll();
    entra.changePrincipal('blueprint', { accountEnabled: false });
    expect(keysOf(await poll())).toEqual([`clientId ${guidOf('blueprint')}`, 'provider']);
    entra.changePrincipal('web', { accountEnabled: false });
    expect(keysOf(await poll())).toEqual([`clientId ${guidOf('web')}`]);
  });

  it('names an agent that was created since the last complete read', async () => {
    const { entra, parts, poll } = rig;
    await parts.directory.readAll(signal);
    await poll();
    entra.addAgent('late', 'blueprint');
    await poll();
    entra.changePrincipal('blueprint', { accountEnabled: false });
    const named = triggersOf(await poll()).flatMap(({ fullRead, evidence }) =>
      fullRead ? (evidence ?? []) : [],
    );
    expect(named.flatMap(({ clients }) => clients ?? [])).toEqual([principalOf('bot'), principalOf('late')]);
  });
});
