// Secrets: read by the app through role assignments, never by access policies.
param location string
param tags object
param token string
param tenantId string

@description('The identity that reads secrets.')
param principalId string

@description('The workspace that logs go to.')
param workspaceId string

@description('Disabled where private endpoints are the only way in.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

@description('Take back the vault that a deletion of this environment has left for 90 days.')
param recover bool

var defaultAction = publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  // checkov:skip=CKV_AZURE_109:denied with the parameter privateNetwork; without it the identity's role guards the way in
  // checkov:skip=CKV_AZURE_189:disabled with the parameter privateNetwork
  name: 'kv-cortex-${token}'
  location: location
  tags: tags
  properties: {
    createMode: recover ? 'recover' : 'default'
    tenantId: tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enablePurgeProtection: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: publicNetworkAccess
    networkAcls: { defaultAction: defaultAction, bypass: 'None' }
  }
}

var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, secretsUser)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = vault.id
