import { SyncError } from '../errors.js';
import type { Leader } from '../model/leader.js';

/** A person started a second store for one owner. */
export function ledElsewhere(leader: Leader): SyncError {
  return refusal(
    'ERR_LEASE_HELD',
    `another scopemesh with a store of its own leads this owner: ${toText(leader)}. Replicas of one owner must share one ` +
      'store: give this one the same queue (kind: bullmq, the same url), or another owner, or stop the other one. ' +
      'A process that was killed leads for up to 20 seconds more.',
  );
}

/** The store is a copy or a backup, which lacks what the leader wrote since; or Consul itself was restored. */
export function unrelatedStore(leader: Leader, key: string): SyncError {
  return refusal(
    'ERR_LEASE_HELD',
    `the store of this scopemesh is not the one of the last leader, ${toText(leader)}, but a copy of it or a backup: it lacks ` +
      'what that leader wrote last. Correct queue.url. If this store was restored and has really taken the place of the other ' +
      'one, or Consul was restored from a snapshot: stop every scopemesh of this owner, check that no Session is left with ' +
      `consul kv get -detailed ${key}, then run consul kv delete ${key}, and start again.`,
  );
}

/** A command that writes found a daemon, or another command, that leads. */
export function ledByDaemon(leader: Leader | undefined): SyncError {
  const who = leader === undefined ? 'another process' : toText(leader);
  return refusal(
    'ERR_LEASE_HELD',
    `${who} leads this owner and applies changes itself; scopemesh plan shows what is pending. ` +
      'To apply without it, stop every scopemesh of this owner first.',
  );
}

/** The store was used with another Consul before. */
export function otherCluster(): SyncError {
  return refusal(
    'ERR_CONFIG',
    'the store of this scopemesh belongs to another Consul cluster (scopemesh/<owner>/cluster in KV has another ID than ' +
      'the store). Correct consul.address, or use another state.directory or queue.url. If this cluster has really ' +
      'taken the place of the other one, delete that key in KV, and start again.',
  );
}

/** The mode is a part of the mapping, so this ends as any difference between the files does. */
export function observesOnly(): SyncError {
  return new SyncError(
    'ERR_LEASE_HELD',
    'this replica is in mode observe and the last leader was not, so it does not lead: nothing would be revoked. Give every ' +
      'replica of this owner the same file.',
    { retriable: true },
  );
}

/** Decisions would be spread over the disks of several replicas. */
export function otherLog(): SyncError {
  return refusal(
    'ERR_CONFIG',
    'the decision log of this owner is on the disk of another replica (decisions.kind: embedded with queue.kind: bullmq). ' +
      'Replicas that share a Redis need a log that they share: set decisions.kind to kafka.',
  );
}

/** A relay that no lease fences would write a log beside the leader's, or beside that of another such relay. */
export function relayWithoutLease(): SyncError {
  return refusal(
    'ERR_CONFIG',
    'with the embedded decision log only the leader may run the relay, and a process without reconcile never leads ' +
      '(decisions.kind: embedded with queue.kind: bullmq). Add reconcile to --only, or leave --only out, ' +
      'or set decisions.kind to kafka.',
  );
}

function toText({ replica, host, since, address }: Leader): string {
  return `${replica} on ${host}${address === undefined ? '' : ` (${address})`}, since ${since}`;
}

function refusal(code: 'ERR_LEASE_HELD' | 'ERR_CONFIG', message: string): SyncError {
  return new SyncError(code, message, { retriable: false });
}
