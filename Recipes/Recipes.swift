// `import Recipes` is all a user writes: the client and the values of the protocol come along.
@_exported public import ConclaveClient
@_exported public import ConclaveCore
