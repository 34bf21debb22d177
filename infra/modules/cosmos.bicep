// Documents and events: one serverless account, indexed by what is filtered and ordered by.
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

@description('Keep copies in several zones.')
param zoneRedundant bool

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' = {
  // checkov:skip=CKV_AZURE_101:disabled with the parameter privateNetwork
  // checkov:skip=CKV_AZURE_99:disabled with the parameter privateNetwork; without it the identity's role guards the way in
  // checkov:skip=CKV_AZURE_100:encrypted with the service's keys
  name: 'cosmos-cortex-${token}'
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: publicNetworkAccess
    consistencyPolicy: { defaultConsistencyLevel: 'Session' }
    locations: [{ locationName: location, failoverPriority: 0, isZoneRedundant: zoneRedundant }]
    capabilities: [{ name: 'EnableServerless' }]
    backupPolicy: { type: 'Continuous', continuousModeProperties: { tier: 'Continuous7Days' } }
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2024-11-15' = {
  parent: account
  name: 'cortex'
  properties: { resource: { id: 'cortex' } }
}

resource documents 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = {
  parent: database
  name: 'documents'
  properties: {
    resource: {
      id: 'documents'
      partitionKey: { paths: ['/pk'], kind: 'Hash' }
      indexingPolicy: loadJsonContent('../indexing.json')
    }
  }
}

// Cosmos DB Built-in Data Contributor, on the database alone
var contributor = '00000000-0000-0000-0000-000000000002'

resource access 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = {
  parent: account
  name: guid(account.id, principalId, contributor)
  properties: {
    principalId: principalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${contributor}'
    scope: '${account.id}/dbs/${database.name}'
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      { category: 'ControlPlaneRequests', enabled: true }
      { category: 'PartitionKeyRUConsumption', enabled: true }
    ]
    metrics: [{ category: 'Requests', enabled: true }]
  }
}

output id string = account.id
output endpoint string = account.properties.documentEndpoint
