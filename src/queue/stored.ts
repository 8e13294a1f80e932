import type { Decision, DraftDecision } from '../model/decision.js';
import type { Trigger } from '../model/trigger.js';
import type { KeyFailure } from './inbox.js';
import type { RecordedHold } from './journal.js';
import type { Recheck } from './rechecks.js';

// What scopemesh itself wrote as JSON; the stores are trusted to give back what they were given.
export const parseTrigger = (json: string): Trigger => JSON.parse(json);
export const parseDraft = (json: string): DraftDecision => JSON.parse(json);
export const parseDecision = (json: string): Decision => JSON.parse(json);
export const parseHold = (json: string): RecordedHold => JSON.parse(json);
export const parseRecheck = (json: string): Recheck => JSON.parse(json);
export const parseFailure = (json: string): KeyFailure => JSON.parse(json);
