// `import RecipesTesting` is all that a test writes besides what it tests: servers, client and values come along.
@_exported public import ConclaveClient
@_exported public import ConclaveCore
@_exported public import ConclaveServer
