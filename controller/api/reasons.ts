/** The closed list of condition reasons: kind, condition type, reason, and what the reason means. */

/** Reasons are API: scripts test them. Add freely; never give one a second meaning. */
export const reasons = {
  CloudAccount: {
    Ready: {
      Connected: 'Credentials, permissions and state store work.',
      Checking: 'The first check has not ended yet.',
      CredentialsInvalid: 'AWS refuses the credentials.',
      PermissionsMissing: 'An IAM action the controller needs is refused.',
      Throttled: 'AWS asks to slow down; calls are held back.',
      EndpointUnreachable: 'The API does not answer.',
      StateStoreUnusable: 'The bucket is missing or may not be used.',
      LoginKeyUnusable: 'The Secret with the SSH key is missing or holds no usable key.',
    },
    CredentialsValid: {
      Verified: 'AWS says who we are.',
      NoCredentials: 'Nothing in the chain, or the Secret is missing or incomplete.',
      AssumeRoleDenied: 'The role may not be assumed.',
      Expired: 'The session has ended.',
      Rejected: 'AWS does not know these keys.',
      Checking: 'Not checked yet.',
    },
    PermissionsVerified: {
      AllAllowed: 'No action was refused.',
      ActionsDenied: 'The message lists the refused actions.',
      ProbeSkipped: 'Not checked, because the credentials do not work.',
    },
    CapacityAvailable: {
      UnderLimit: 'There is room below maxServers.',
      MaxServersReached: 'No launch until maxServers is raised or a server goes.',
      AWSQuotaReached: 'An AWS quota stops launches; the message names it.',
    },
  },
  Deployment: {
    Ready: {
      AllMembersReady: 'Every member is ready.',
      Empty: 'There are no members yet.',
      MembersNotReady: 'The message names the members.',
      AccountNotFound: 'There is no such CloudAccount.',
      AccountNotReady: 'The CloudAccount is not Ready.',
      NamespaceNotAllowed: 'The CloudAccount does not allow this namespace.',
      InputsUnresolved: 'An input has no value.',
      Suspended: 'spec.suspend is set.',
      MembersExist: 'Deletion waits until no member refers to it.',
      Reconciling: 'Not looked at yet.',
    },
    InputsResolved: {
      Resolved: 'Every value can be read.',
      SecretNotFound: 'A Secret is missing.',
      ConfigMapNotFound: 'A ConfigMap is missing.',
      KeyNotFound: 'A Secret or ConfigMap lacks the key.',
      EndpointNotPublished: 'Another object has not published its address yet.',
      InputCycle: 'Servers wait for the addresses of each other.',
    },
  },
  Script: {
    Ready: {
      Valid: 'The text can be read.',
      SourceNotFound: 'The ConfigMap, its key or the S3 object is missing.',
      ChecksumMismatch: 'The object in S3 is not the one that sha256 names.',
      AttachmentNotFound: 'The source of an attached file is missing.',
      SourceTooLarge: 'The text is longer than 128 KiB.',
    },
  },
  ServerTemplate: {
    Ready: {
      Valid: 'Servers can be launched from the revision in status.',
      ScriptNotFound: 'A script it names does not exist.',
      ScriptInvalid: 'A script it names is not Ready.',
      ScriptsTooLarge: 'All scripts together are too large for one revision.',
      ImageNotFound: 'No image has this id or matches this name.',
      ImageUnavailable: 'The image is not available, or was deregistered.',
      AccountNotReady: 'No ready CloudAccount to look for the image in.',
      RequiredInputMissing: 'No level sets an input that a script requires.',
      Resolving: 'The image is being looked up.',
    },
    UpToDate: {
      AllServersCurrent: 'Every server runs the newest revision.',
      ServersOutdated: 'Some servers run an older revision.',
    },
  },
  Server: {
    Ready: {
      Pending: 'No machine yet.',
      Booting: 'The machine starts or runs its boot scripts.',
      Operational: 'Boot scripts finished and the health check passes.',
      Unhealthy: 'The health check fails.',
      Unreachable: 'The machine runs but does not answer.',
      Stranded: 'Boot failed; the message says where and what to do.',
      Decommissioning: 'It leaves service and runs its decommission scripts.',
      Terminating: 'EC2 was told to terminate the machine.',
      Terminated: 'The machine is gone.',
      Stopping: 'EC2 was told to stop the machine.',
      Stopped: 'The machine is stopped, as wanted.',
      Quarantined: 'Kept for inspection, out of service.',
      LaunchFailed: 'EC2 refuses the launch; the message says why.',
      Blocked: 'Something it refers to is missing or not ready.',
      Suspended: 'Suspended or paused; nothing is changed.',
    },
    InstanceRunning: {
      Running: 'EC2 says running.',
      NotLaunched: 'No launch was asked for yet.',
      Launching: 'EC2 was asked for a machine.',
      LaunchOutcomeUnknown: 'EC2 gave no certain answer; the same request is repeated.',
      Starting: 'EC2 starts the machine.',
      InsufficientCapacity: 'Every offering is sold out for now.',
      SubnetExhausted: 'The subnets have no free addresses.',
      QuotaExceeded: 'An AWS quota is used up.',
      MaxServersReached: 'CloudAccount.spec.maxServers is reached.',
      Unauthorized: 'AWS refuses the launch to this identity.',
      InvalidConfiguration: 'EC2 refuses the request as wrong.',
      AccountNotReady: 'The account cannot launch now.',
      LaunchFailed: 'EC2 refused for a reason of its own.',
      Stopped: 'EC2 says stopped.',
      Terminated: 'EC2 says terminated.',
      Disappeared: 'The machine ended though nobody here asked for it.',
      CloudUnreachable: 'EC2 does not answer.',
    },
    SSHReachable: {
      HostKeyVerified: 'The host showed the pinned key.',
      HostKeyMismatch: 'Another key was shown; the connection was not used.',
      AttestationMissing: 'The host has not handed in its keys yet.',
      AttestationConflict: 'Somebody else handed in keys first.',
      AuthenticationFailed: 'The host does not accept our key.',
      ConnectTimeout: 'Nothing answers at the address.',
      NotYetTried: 'No connection was tried yet.',
    },
    Booted: {
      ScriptsSucceeded: 'All boot scripts succeeded.',
      ForcedOperational: 'A person declared it Operational.',
      WaitingForMachine: 'There is no reachable machine yet.',
      WaitingForInputs: 'An input has no value yet.',
      RunningScript: 'The message names the step.',
      ScriptFailed: 'A boot script failed.',
      DeadlineExceeded: 'Not Operational within bootDeadlineSeconds.',
    },
    Healthy: {
      CheckPassed: 'The health check passes.',
      NoCheck: 'The template has no health check.',
      CheckFailed: 'It failed failureThreshold times in a row.',
      NotYetChecked: 'Not Operational yet.',
    },
    InputsResolved: {
      Resolved: 'Every input has a value.',
      SecretNotFound: 'A Secret is missing.',
      ConfigMapNotFound: 'A ConfigMap is missing.',
      KeyNotFound: 'A Secret or ConfigMap lacks the key.',
      EndpointNotPublished: 'Another object has not published its address yet.',
      InputCycle: 'Servers wait for the addresses of each other.',
      RequiredInputMissing: 'No level sets a required input.',
      InvalidChoice: 'A value is not one of the options.',
      NotASecret: 'A sensitive input does not come from a Secret.',
      NotYetResolved: 'The template has no revision yet.',
    },
  },
  ScriptRun: {
    Succeeded: {
      Queued: 'It waits for its turn.',
      Running: 'It runs.',
      Completed: 'It succeeded on every server.',
      ScriptFailed: 'A script ended with an exit status other than 0.',
      TimedOut: 'A script took too long.',
      Unreachable: 'A host could not be reached.',
      Canceled: 'A person stopped it.',
      Interrupted: 'The host restarted; it is unknown whether the script finished.',
      TargetNotFound: 'The target does not exist.',
      OperationNotFound: 'The template has no such operation.',
      ScriptNotFound: 'There is no such Script.',
      ScriptInvalid: 'The Script is not Ready.',
      RequiredInputMissing: 'No level sets a required input.',
      NoOperationalServers: 'No server of the target is Operational.',
    },
    Finished: {
      Queued: 'It waits for its turn.',
      Running: 'It runs.',
      Completed: 'It ended with success.',
      Failed: 'It ended without success; see Succeeded.',
    },
  },
  LaunchBatch: {
    Completed: {
      Launched: 'EC2 started the machines in status.instances.',
      TokenSpent: 'The machines were terminated before anybody recorded them.',
      InsufficientCapacity: 'This instance type is sold out in this zone.',
      SubnetExhausted: 'The subnet has no free addresses.',
      QuotaExceeded: 'An AWS quota is used up.',
      InvalidConfiguration: 'EC2 refuses the request as wrong.',
      Unauthorized: 'AWS refuses the launch to this identity.',
      CredentialsInvalid: 'AWS refuses the credentials.',
      AccountNotReady: 'The account cannot launch now.',
      LaunchInvariantBroken: 'EC2 saw the token with another request; this is a bug or tampering.',
      LaunchRefused: 'EC2 refused for a reason of its own.',
      Canceled: 'Every server of the batch was deleted before the launch.',
      Expired: 'EC2 gave no answer in time and no machine with this token exists.',
    },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>;

/** Conditions that any kind may have in addition, present only while True. */
export const passingConditions = {
  Reconciling: 'The controller works on it; the reason is that of the summary condition.',
  Stalled: 'Nothing more happens until a person changes something.',
} as const;

/** The kinds with reasons of their own. */
export type ReasonedKind = keyof typeof reasons;

/** The reasons of one condition of a kind: `Reason<'Server', 'Ready'>`. */
export type Reason<
  K extends ReasonedKind,
  Type extends keyof (typeof reasons)[K],
> = keyof (typeof reasons)[K][Type] & string;

/** How a launch batch ended: `status.reason` of a LaunchBatch. */
export type LaunchReason = Reason<'LaunchBatch', 'Completed'>;
