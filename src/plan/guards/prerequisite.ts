import { clientText } from '../world.js';
import { all, type ChangeGuard, NONE } from './guard.js';

/**
 * A widening change waits until its client's ACL objects are written, so that the client can log in when an intention
 * opens. Without the claim or the jwt-provider a widening change is not in the plan at all.
 */
export const prerequisite: ChangeGuard = ({ changes, opensLast }, { opening }) => {
  if (!opensLast || opening.size === 0) return NONE;
  const waiting = changes.filter(
    ({ widens, narrows, client }) =>
      widens && !narrows && client !== undefined && opening.has(clientText(client)),
  );
  return all(waiting, { do: 'wait' });
};
