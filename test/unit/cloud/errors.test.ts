/** AWS's failures in our words. */
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../controller/base/errors.ts';
import { translateError } from '../../../controller/cloud/errors.ts';

const write = { service: 'ec2', operation: 'RunInstances', mutates: true };
const read = { service: 'ec2', operation: 'DescribeInstances', mutates: false };

function awsError(name: string, httpStatusCode?: number, message = 'It failed.'): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode, requestId: 'req-1' } });
}

describe('translate', () => {
  it.each([
    ['RequestLimitExceeded', 503, 'cloud.throttled'],
    ['ThrottlingException', 400, 'cloud.throttled'],
    // EC2 says this with a 500; it is definitive all the same.
    ['InsufficientInstanceCapacity', 500, 'cloud.no-capacity'],
    ['InsufficientFreeAddressesInSubnet', 400, 'cloud.subnet-full'],
    ['VcpuLimitExceeded', 400, 'cloud.quota'],
    ['PendingVerification', 400, 'cloud.account-not-ready'],
    ['ExpiredToken', 400, 'cloud.credentials'],
    ['InvalidClientTokenId', 403, 'cloud.credentials'],
    ['UnauthorizedOperation', 403, 'cloud.denied'],
    ['AuthFailure.ServiceLinkedRoleCreationNotPermitted', 403, 'cloud.denied'],
    ['IdempotentParameterMismatch', 400, 'cloud.token-mismatch'],
    ['IdempotentInstanceTerminated', 400, 'cloud.token-terminated'],
    ['InvalidInstanceID.NotFound', 400, 'cloud.not-found'],
    ['InvalidInstanceID.Malformed', 400, 'cloud.bad-request'],
    ['InvalidAMIID.NotFound', 400, 'cloud.bad-request'],
    ['InvalidParameterValue', 400, 'cloud.bad-request'],
    ['IncorrectInstanceState', 400, 'cloud.wrong-state'],
    ['OperationNotPermitted', 400, 'cloud.protected'],
    ['PreconditionFailed', 412, 'objects.exists'],
    ['NoSuchBucket', 404, 'objects.not-found'],
    ['InternalError', 500, 'cloud.ambiguous'],
    ['Unavailable', 503, 'cloud.ambiguous'],
    ['SomethingNew', 400, 'cloud.unknown'],
  ] as const)('reads %s with status %i as %s', (name, status, code) => {
    expect(translateError(awsError(name, status), write).code).toBe(code);
  });

  it('calls a lost answer ambiguous for writes only', () => {
    const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    expect(translateError(reset, write).code).toBe('cloud.ambiguous');
    expect(translateError(reset, read).code).toBe('cloud.unreachable');
    expect(translateError(new DOMException('late', 'TimeoutError'), write).code).toBe('cloud.ambiguous');
  });

  it('knows that a refused connection sent nothing', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(translateError(refused, write).code).toBe('cloud.unreachable');
  });

  it('keeps code and request id for people who search', () => {
    const error = translateError(awsError('VcpuLimitExceeded', 400, 'You have reached your limit.'), write);
    expect(error.message).toBe('You have reached your limit [VcpuLimitExceeded, request req-1]');
    expect(error.fields).toMatchObject({ awsCode: 'VcpuLimitExceeded', requestId: 'req-1', httpStatus: 400 });
  });

  it('drops the encoded authorization blob', () => {
    const message = 'You may not. Encoded authorization failure message: AbCdEf123';
    expect(translateError(awsError('UnauthorizedOperation', 403, message), write).message).not.toContain(
      'AbCd',
    );
  });

  it('passes our own errors through', () => {
    const own = new AppError('invariant', 'mine');
    expect(translateError(own, write)).toBe(own);
  });
});
