// Tells the app of changes: a system topic for this subscription's resource events, which go to the app's queue.
// The topic's own identity delivers: behind a firewall, storage lets in the system-assigned identity of a trusted service
// and no user-assigned one (Azure Event Grid, "Storage queue as an event handler").
param tags object
param token string

@description('Where the storage account is that holds the queue.')
param storageSubscription string
param storageGroup string
param storageName string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'egst-cortex-${token}'
  location: 'global'
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: { source: subscription().id, topicType: 'Microsoft.Resources.Subscriptions' }
}

module access 'delivery.bicep' = {
  scope: resourceGroup(storageSubscription, storageGroup)
  params: { storageName: storageName, principalId: topic.identity.principalId }
}

resource delivery 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'cortex'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: ['Microsoft.Resources.ResourceWriteSuccess', 'Microsoft.Resources.ResourceDeleteSuccess']
    }
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: access.outputs.storageId
          queueName: 'resource-events'
          queueMessageTimeToLiveInSeconds: 604800
        }
      }
    }
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: { resourceId: access.outputs.storageId, blobContainerName: 'event-dead-letters' }
      }
    }
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
  }
}
