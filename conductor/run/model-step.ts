import { SpoqError } from '../../contract/errors.ts';
import { callModel } from '../model/call-model.ts';
import type { CallDeps } from '../model/call-model.ts';
import type { Models } from '../model/models.ts';
import type { CallModel, StepEnd } from './loop.ts';

/** The one way from a run to a model: its budget pays for it, and where the model is overloaded another one is asked. */
export function createCallModel(models: Models, deps: CallDeps): CallModel {
  return async ({ conversation, model, messages, instructions, tools, signal, onText, onNotice, onCost }) => {
    let end: StepEnd | undefined;
    const call = { models: models.choose(model), conversation, messages, instructions, tools, signal, onCost };
    for await (const event of callModel(deps, call)) {
      if (event.type === 'text') onText(event.text);
      else if (event.type === 'notice') onNotice(event);
      else if (event.type === 'done') end = event;
    }
    if (end === undefined) throw new SpoqError('model_failed', { detail: 'The answer broke off.' });
    return end;
  };
}
