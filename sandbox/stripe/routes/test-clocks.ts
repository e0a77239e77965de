import { z } from 'zod';
import type { Account } from '../account.ts';
import { advanceClock, deleteClock, findTestClock } from '../commands/advance-clock.ts';
import { listPage } from '../list.ts';
import { createTestClock } from '../objects/test-clock.ts';
import { common, integer, paging } from '../params.ts';
import { defineRoute, type Route } from './route.ts';

const PATH = '/v1/test_helpers/test_clocks';
const Create = z.strictObject({ ...common, frozen_time: integer, name: z.string().max(300).optional() });
const Advance = z.strictObject({ ...common, frozen_time: integer });
const NoParams = z.strictObject(common);

/** Times of their own for some customers: create, list, get, delete, advance. */
export function createTestClockRoutes(account: Account): Route[] {
  return [
    defineRoute('post', PATH, Create, (params) =>
      account.change((change) => {
        const clock = createTestClock(params, change.now);
        change.state.test_clocks[clock.id] = clock;
        change.at(clock.frozen_time).emit('test_helpers.test_clock.created', clock);
        return clock;
      }),
    ),
    defineRoute('get', PATH, z.strictObject(paging), (params) =>
      listPage(Object.values(account.state.test_clocks), params, PATH),
    ),
    defineRoute('get', `${PATH}/:id`, NoParams, (_params, { id }) => findTestClock(account.state, id)),
    defineRoute('delete', `${PATH}/:id`, NoParams, (_params, { id = '' }) =>
      account.change((change) => deleteClock(change, id)),
    ),
    // A copy: what is answered is `advancing`, whatever comes next.
    defineRoute('post', `${PATH}/:id/advance`, Advance, ({ frozen_time: target }, { id = '' }) =>
      structuredClone(account.change((change) => advanceClock(change, id, target))),
    ),
  ];
}
