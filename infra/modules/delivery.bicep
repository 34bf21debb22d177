// Lets a topic's identity put messages into the event queue, and what cannot be delivered into the dead letters.
param storageName string
param principalId string

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' existing = {
  name: '${storageName}/default/resource-events'
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = {
  name: '${storageName}/default/event-dead-letters'
}

// Storage Queue Data Message Sender
var sender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'

resource sending 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(queue.id, principalId, sender)
  scope: queue
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sender)
  }
}

// Storage Blob Data Contributor
var contributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource deadLettering 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(container.id, principalId, contributor)
  scope: container
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributor)
  }
}

output storageId string = account.id
