// Blobs, queues and the task hub's tables, without account keys.
param location string
param tags object
param token string

@description('The identity that reads and writes.')
param principalId string

@description('The workspace that logs go to.')
param workspaceId string

@description('Disabled where private endpoints are the only way in.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

@description('Keep copies in three zones.')
param zoneRedundant bool

var defaultAction = publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  // checkov:skip=CKV_AZURE_35:denied with the parameter privateNetwork; without it the identity's roles guard the way in
  // checkov:skip=CKV_AZURE_59:disabled with the parameter privateNetwork
  // checkov:skip=CKV_AZURE_206:redundant over zones with the parameter zoneRedundant, which not every region can be
  // checkov:skip=CKV_AZURE_43:the name is computed; a test holds every name against its type's rule
  name: 'stcortex${token}'
  location: location
  tags: tags
  sku: { name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS' }
  kind: 'StorageV2'
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    sasPolicy: { expirationAction: 'Block', sasExpirationPeriod: '0.02:00:00' }
    publicNetworkAccess: publicNetworkAccess
    // Event Grid delivers from outside the network, as a trusted service with its own identity.
    networkAcls: { defaultAction: defaultAction, bypass: 'AzureServices' }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'deployments'
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'event-dead-letters'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource events 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = {
  parent: queues
  name: 'resource-events'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

// Storage Blob Data Owner (keeps blobs, signs uploads), Storage Queue Data Contributor, Storage Table Data Contributor
var roles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
]

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in roles: {
  name: guid(account.id, principalId, role)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: blobs
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: queues
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

output id string = account.id
output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
output packages string = '${account.properties.primaryEndpoints.blob}${packages.name}'
