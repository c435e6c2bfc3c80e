/** STS: GetCallerIdentity, the one call the lab's single identity needs. */
import { CloudError } from '../world/cloud-error.ts';
import type { XmlService } from './front-door.ts';
import type { Answer, Exchange } from './http-exchange.ts';
import { writeXml } from './xml.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** Every caller is the same user of the account. */
export class StsService implements XmlService {
  readonly #accountId: string;

  constructor(accountId: string) {
    this.#accountId = accountId;
  }

  action(_: Exchange, body: string): string {
    return new URLSearchParams(body).get('Action') ?? '';
  }

  answer({ requestId }: Exchange, _: string, action: string): Answer {
    if (action !== 'GetCallerIdentity') {
      throw new CloudError('InvalidAction', `Could not find operation ${action} for version 2011-06-15`);
    }
    const identity = {
      Arn: `arn:aws:iam::${this.#accountId}:user/lab`,
      UserId: 'AIDALAB0000000000000',
      Account: this.#accountId,
    };
    const content = { GetCallerIdentityResult: identity, ResponseMetadata: { RequestId: requestId } };
    return {
      status: 200,
      xml: `<GetCallerIdentityResponse xmlns="${NAMESPACE}">${writeXml(content)}</GetCallerIdentityResponse>`,
    };
  }

  error({ code, message, status }: CloudError, requestId: string): string {
    const error = { Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: message };
    return `<ErrorResponse xmlns="${NAMESPACE}">${writeXml({ Error: error, RequestId: requestId })}</ErrorResponse>`;
  }
}
