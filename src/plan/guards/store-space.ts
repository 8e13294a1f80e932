import { all, type ChangeGuard, NONE } from './guard.js';

/**
 * While the store works on the space that it kept back, only narrowing changes are made. The others wait without a hold,
 * whose decision would use up that space. A complete comparison plans them again when there is room.
 */
export const storeSpace: ChangeGuard = ({ changes }, { isStoreLow }) =>
  isStoreLow
    ? all(
        changes.filter(({ widens, narrows }) => widens || !narrows),
        { do: 'wait-widening' },
      )
    : NONE;
