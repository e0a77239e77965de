import { SpoqError } from '../../contract/errors.ts';
import { answerQuestion } from '../model/answer.ts';
import type { AnswerDeps } from '../model/answer.ts';
import type { Model } from '../model/create-model.ts';
import type { CallModel, StepEnd } from './loop.ts';

/** The one way from a run to a model: whatever every call of it needs belongs here. */
export function createCallModel(model: Model, deps: Omit<AnswerDeps, 'task'>): CallModel {
  return async (messages, task, signal, onText) => {
    let end: StepEnd | undefined;
    for await (const event of answerQuestion(model, messages, signal, { ...deps, task })) {
      if (event.type === 'text') onText(event.text);
      else end = event;
    }
    if (end === undefined) throw new SpoqError('model_failed', { detail: 'The answer broke off.' });
    return end;
  };
}
